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

{{/* The bytes of a size as redis.conf has it: 2gb, 2g (of 1000), 2147483648. */}}
{{- define "heavylift.redis.bytes" -}}
{{- $text := include "heavylift.text" . | lower }}
{{- $factors := dict "k" 1000 "kb" 1024 "m" 1000000 "mb" 1048576 "g" 1000000000 "gb" 1073741824 }}
{{- mul (regexFind "^[0-9]+" $text | int64) (get $factors (regexFind "[kmgb]+$" $text) | default 1) }}
{{- end }}
