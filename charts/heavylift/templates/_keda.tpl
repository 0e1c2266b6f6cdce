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

{{/* What KEDA takes beside passwords, by the same way: user names, and that TLS is spoken. A map. */}}
{{- define "heavylift.keda.parameters" -}}
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

{{/* What KEDA reads from Secrets, as TriggerAuthentications name it. */}}
{{- define "heavylift.keda.secrets" -}}
{{- with include "heavylift.redis.secret" . }}
- parameter: password
  name: {{ . }}
  key: {{ include "heavylift.redis.secretKey" $ }}
{{- end }}
{{- if not .Values.redis.enabled }}
{{- with .Values.externalRedis }}
{{- if .tls.enabled }}
{{- if .tls.caSecret.name }}
- parameter: ca
  name: {{ .tls.caSecret.name }}
  key: {{ .tls.caSecret.key }}
{{- end }}
{{- if .tls.clientSecret.name }}
- parameter: cert
  name: {{ .tls.clientSecret.name }}
  key: {{ .tls.clientSecret.certKey }}
- parameter: key
  name: {{ .tls.clientSecret.name }}
  key: {{ .tls.clientSecret.keyKey }}
{{- end }}
{{- end }}
{{- with include "heavylift.sentinel.secret" $ }}
- parameter: sentinelPassword
  name: {{ . }}
  key: {{ ternary $.Values.externalRedis.sentinel.existingSecretKey "password" (not (empty $.Values.externalRedis.sentinel.existingSecret)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "heavylift.keda.authenticated" -}}
{{- if or (include "heavylift.keda.secrets" .) (include "heavylift.keda.parameters" .) }}true{{ end }}
{{- end }}
