{{- define "heavylift.keda.sentinels" -}}
{{- if not .Values.redis.enabled }}{{ join "," .Values.externalRedis.sentinel.nodes }}{{ end }}
{{- end }}

{{/* Where KEDA finds Redis, from its own namespace. */}}
{{- define "heavylift.keda.address" -}}
{{- $redis := .Values.externalRedis }}
{{- if .Values.redis.enabled }}
address: {{ printf "%s-redis.%s.svc:6379" (include "heavylift.fullname" .) .Release.Namespace }}
databaseIndex: "0"
{{- else if $redis.sentinel.nodes }}
addresses: {{ include "heavylift.keda.sentinels" . | quote }}
sentinelMaster: {{ $redis.sentinel.master | quote }}
databaseIndex: {{ $redis.database | toString | quote }}
{{- else }}
address: {{ printf "%s:%v" $redis.host $redis.port | quote }}
databaseIndex: {{ $redis.database | toString | quote }}
{{- end }}
{{- end }}

{{/* What KEDA reads from a Secret although it is none: user names, and that TLS is spoken. A map. */}}
{{- define "heavylift.keda.secret" -}}
{{- $parameters := dict }}
{{- if not .Values.redis.enabled }}
{{- with .Values.externalRedis }}
{{- if .tls.enabled }}
{{- $_ := set $parameters "tls" "enable" }}
{{- end }}
{{- with .username }}
{{- $_ := set $parameters "username" . }}
{{- end }}
{{- if and .sentinel.nodes .sentinel.username }}
{{- $_ := set $parameters "sentinelUsername" .sentinel.username }}
{{- end }}
{{- end }}
{{- end }}
{{- with $parameters }}{{ toYaml . }}{{ end }}
{{- end }}

{{- define "heavylift.keda.authenticated" -}}
{{- if or (include "heavylift.redis.secret" .) (include "heavylift.keda.secret" .) (include "heavylift.sentinel.secret" .) }}true{{ end }}
{{- end }}
