{{/* The pools whose queues KEDA measures itself. A map. */}}
{{- define "heavylift.keda.simple" -}}
{{- if eq .Values.scaling.engine "keda" }}
{{- range $name, $pool := include "heavylift.pools" . | fromYaml }}
{{- if eq ($pool.autoscaling.keda.mode | default "brain") "simple" }}
{{ $name }}: {{ toJson $pool.queues }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* How the HPA of a pool behaves whose number the controller says: up at once, and never down. */}}
{{- define "heavylift.keda.behavior" -}}
{{- $up := dict "stabilizationWindowSeconds" 0 "selectPolicy" "Max" "policies" (list (dict "type" "Pods" "value" 1000 "periodSeconds" 15)) }}
{{- $behavior := .behavior | default dict }}
{{- dict "scaleUp" ($behavior.scaleUp | default $up) "scaleDown" (dict "selectPolicy" "Disabled") | toYaml }}
{{- end }}

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
