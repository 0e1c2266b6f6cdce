{{/*
How the controller scales, as it is told: `kubernetes` sets the numbers itself, or in shadow looks on; `keda` has KEDA add
pods. Empty: not at all, and it asks nothing of the API server.
*/}}
{{- define "heavylift.scaling" -}}
{{- $scaling := .Values.scaling }}
{{- if eq $scaling.engine "keda" }}{{ ternary "kubernetes" "keda" ($scaling.shadow | default false) }}
{{- else if or (eq $scaling.engine "builtin") $scaling.shadow }}kubernetes
{{- end }}
{{- end }}

{{/* The queues of a pool in the order in which its workers serve them: by priority, then as they are named. A list. */}}
{{- define "heavylift.pool.queues" -}}
{{- $keys := list }}
{{- range $place, $queue := .queues }}
{{- $priority := dig $queue "priority" 0 ($.autoscaling.queues | default dict) | int }}
{{- $keys = append $keys (printf "%04d %04d %s" (sub 1000 $priority) $place $queue) }}
{{- end }}
{{- range sortAlpha $keys }}
- {{ splitList " " . | last }}
{{- end }}
{{- end }}

{{/* All pools as the controller reads them, every duration in seconds. */}}
{{- define "heavylift.pools.json" -}}
{{- $file := dict }}
{{- range $name, $pool := include "heavylift.pools" . | fromYaml }}
{{- $_ := set $file $name (include "heavylift.pool.json" (dict "root" $ "name" $name "pool" $pool) | fromJson) }}
{{- end }}
{{- dict "pools" $file | toPrettyJson }}
{{- end }}

{{- define "heavylift.pool.json" -}}
{{- $autoscaling := .pool.autoscaling }}
{{- $shadow := or (ne (include "heavylift.scaling.acts" .root) "true") (and (eq .root.Values.scaling.engine "keda") (eq ($autoscaling.keda.mode | default "brain") "simple")) }}
{{- $fullname := include "heavylift.fullname" .root }}
{{- $windows := list }}
{{- range $autoscaling.windows }}
{{- $seconds := include "heavylift.seconds" (dict "value" .duration "name" (printf "workers.pools.%s.autoscaling.windows" $.name)) | int64 }}
{{- $windows = append $windows (dict "cron" .cron "durationSeconds" $seconds "min" (.min | int64) "timezone" (.timezone | default "UTC")) }}
{{- end }}
{{- dict
  "deployment" (printf "%s-worker-%s" $fullname .name)
  "resource" (printf "%s-%s" $fullname .name)
  "queues" (include "heavylift.pool.targets" .pool | fromJson)
  "slots" (.pool.concurrency | int64)
  "min" ($autoscaling.min | int64)
  "max" ($autoscaling.max | int64)
  "minIdle" ($autoscaling.minIdle | int64)
  "windows" $windows
  "manualHoldSeconds" (include "heavylift.seconds" (dict "value" (dig "manualHold" "15m" .root.Values.scaling) "name" "scaling.manualHold") | int64)
  "shadow" $shadow
  "guard" (and (dig "guard" "enabled" false .root.Values.scaling) (not $shadow))
  "paused" ($autoscaling.paused | default false)
  "freezeIn" ($autoscaling.freezeIn | default false)
  "freezeOut" ($autoscaling.freezeOut | default false)
  | toJson }}
{{- end }}

{{/* What holds for each queue of a pool. The priority is the place in the order in which workers do serve them. */}}
{{- define "heavylift.pool.targets" -}}
{{- $targets := dict }}
{{- $queues := include "heavylift.pool.queues" . | fromYamlArray }}
{{- range $place, $queue := $queues }}
{{- $own := get ($.autoscaling.queues | default dict) $queue | default dict }}
{{- $_ := set $targets $queue (dict
  "targetWaitSeconds" ($own.targetWaitSeconds | default $.autoscaling.targetWaitSeconds | default 30)
  "expectedServiceSeconds" ($own.expectedServiceSeconds | default 10)
  "priority" (sub (len $queues) (add1 $place))) }}
{{- end }}
{{- toJson $targets }}
{{- end }}

{{/* Whether the controller sets numbers, and does not merely say which. */}}
{{- define "heavylift.scaling.acts" -}}
{{- if and (has .Values.scaling.engine (list "builtin" "keda")) (not .Values.scaling.shadow) }}true{{ end }}
{{- end }}
