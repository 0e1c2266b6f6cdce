{{- define "heavylift.redis.config" -}}
# Written at the start of the pod, from the Secret.
include /run/redis/users.conf
bind * -::*
port 6379
dir /data

# A job that was accepted is in the append-only file. No snapshots: one that fails makes Redis refuse writes.
appendonly yes
appendfsync {{ .Values.redis.appendfsync }}
save ""

# A full Redis refuses; it must never drop waiting jobs.
maxmemory {{ include "heavylift.redis.maxmemory" . }}
maxmemory-policy noeviction

# Waiting messages are alike: compressed they take a third less.
list-compress-depth 1
tcp-keepalive 30
{{- with .Values.redis.config }}

{{ . | trim }}
{{- end }}
{{- end }}

{{- define "heavylift.redis.maxmemory" -}}
{{- if .Values.redis.maxmemory }}
{{- include "heavylift.text" .Values.redis.maxmemory }}
{{- else }}
{{- $limit := dig "limits" "memory" 0 .Values.redis.resources }}
{{- $bytes := include "heavylift.bytes" (dict "value" $limit "name" "redis.resources.limits.memory") | int64 }}
{{- div (mul $bytes (.Values.redis.maxmemoryPercent | int64)) 100 }}
{{- end }}
{{- end }}
