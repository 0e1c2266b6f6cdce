{{/* A container's environment from a map: of name to text, or to a map such as {valueFrom: …}. Sorted by name. */}}
{{- define "heavylift.env" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  {{- if kindIs "map" $value }}
  {{- toYaml $value | nindent 2 }}
  {{- else }}
  value: {{ include "heavylift.text" $value | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Settings as they stand in values, maxBodySize, to variables, HEAVYLIFT_MAX_BODY_SIZE. */}}
{{- define "heavylift.env.settings" -}}
{{- range $key, $value := . }}
HEAVYLIFT_{{ $key | snakecase | upper }}: {{ include "heavylift.text" $value | quote }}
{{- end }}
{{- end }}

{{/* What every service reads: where Redis is, who we are, how to log. */}}
{{- define "heavylift.env.base" -}}
{{- $values := .Values }}
HEAVYLIFT_LOG_LEVEL: {{ $values.log.level }}
HEAVYLIFT_LOG_FORMAT: {{ $values.log.format }}
{{- if not (kindIs "invalid" $values.installation) }}
HEAVYLIFT_INSTALLATION: {{ $values.installation | default (printf "%s/%s" .Release.Namespace .Release.Name) | quote }}
{{- end }}
{{- with $values.keyPrefix }}
HEAVYLIFT_KEY_PREFIX: {{ . | quote }}
{{- end }}
{{- include "heavylift.env.settings" $values.settings }}
{{- if include "heavylift.redis.secret" . }}
HEAVYLIFT_REDIS_PASSWORD_FILE: /etc/heavylift/redis/password
{{- end }}
{{- if $values.redis.enabled }}
HEAVYLIFT_REDIS_URL: redis://{{ include "heavylift.fullname" . }}-redis:6379/0
{{- else }}
{{- include "heavylift.env.externalRedis" . }}
{{- end }}
{{- end }}

{{- define "heavylift.env.externalRedis" -}}
{{- $redis := .Values.externalRedis }}
{{- if $redis.urlSecret.name }}
HEAVYLIFT_REDIS_URL:
  valueFrom:
    secretKeyRef:
      name: {{ $redis.urlSecret.name }}
      key: {{ $redis.urlSecret.key }}
{{- else }}
{{- $user := "" }}
{{- with $redis.username }}
{{- $user = printf "%s@" (urlquery . | replace "+" "%20") }}
{{- end }}
{{- $host := $redis.host | default "sentinels" }}
{{- if contains ":" $host }}
{{- $host = printf "[%s]" $host }}
{{- end }}
HEAVYLIFT_REDIS_URL: {{ printf "%s://%s%s:%v/%v" (ternary "rediss" "redis" $redis.tls.enabled) $user $host $redis.port $redis.database | quote }}
{{- end }}
{{- if $redis.tls.enabled }}
{{- with $redis.tls.caSecret }}
{{- if .name }}
HEAVYLIFT_REDIS_CA_FILE: /etc/heavylift/redis-tls/ca.crt
{{- end }}
{{- end }}
{{- with $redis.tls.clientSecret }}
{{- if .name }}
HEAVYLIFT_REDIS_CERT_FILE: /etc/heavylift/redis-tls/tls.crt
HEAVYLIFT_REDIS_KEY_FILE: /etc/heavylift/redis-tls/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- with $redis.sentinel.nodes }}
HEAVYLIFT_REDIS_SENTINELS: {{ join "," . | quote }}
HEAVYLIFT_REDIS_SENTINEL_MASTER: {{ $redis.sentinel.master | quote }}
{{- with $redis.sentinel.username }}
HEAVYLIFT_REDIS_SENTINEL_USER: {{ . | quote }}
{{- end }}
{{- end }}
{{- if include "heavylift.sentinel.secret" . }}
HEAVYLIFT_REDIS_SENTINEL_PASSWORD_FILE: /etc/heavylift/sentinel/password
{{- end }}
{{- end }}

{{/* Where files are, for what reads and writes them. */}}
{{- define "heavylift.env.artifacts" -}}
{{- $artifacts := .Values.artifacts }}
{{- if eq $artifacts.type "pvc" }}
HEAVYLIFT_ARTIFACTS_URL: file:///var/lib/heavylift/artifacts
{{- else }}
{{- $s3 := $artifacts.s3 }}
HEAVYLIFT_ARTIFACTS_URL: s3://{{ $s3.bucket }}{{ with $s3.prefix | trimAll "/" }}/{{ . }}{{ end }}
{{- with $s3.region }}
AWS_REGION: {{ . | quote }}
{{- end }}
{{- with $s3.endpoint }}
AWS_ENDPOINT_URL: {{ . | quote }}
{{- if hasPrefix "http://" . }}
AWS_ALLOW_HTTP: "true"
{{- end }}
{{- end }}
{{- with include "heavylift.s3.secret" . }}
AWS_ACCESS_KEY_ID:
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $s3.accessKeyIdKey }}
AWS_SECRET_ACCESS_KEY:
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $s3.secretAccessKeyKey }}
{{- with $s3.sessionTokenKey }}
AWS_SESSION_TOKEN:
  valueFrom:
    secretKeyRef:
      name: {{ include "heavylift.s3.secret" $ }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
