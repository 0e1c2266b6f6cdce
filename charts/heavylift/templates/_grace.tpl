{{/* Seconds a pod gets to end: what is given, if it is enough for what has to be done in them, else that and a margin. */}}

{{- define "heavylift.api.terminationGrace" -}}
{{- $api := .Values.api }}
{{- $needed := add (include "heavylift.seconds" (dict "value" $api.shutdownGrace "name" "api.shutdownGrace") | int64) ($api.preStopSleepSeconds | int64) }}
{{- $given := $api.terminationGracePeriodSeconds }}
{{- if kindIs "invalid" $given }}
{{- add $needed 10 }}
{{- else if le ($given | int64) $needed }}
{{- fail (printf "api.terminationGracePeriodSeconds is %v, but requests get %d s: api.shutdownGrace (%s) after api.preStopSleepSeconds (%v). Raise it above %d, or set it to null." $given $needed $api.shutdownGrace $api.preStopSleepSeconds $needed) }}
{{- else }}
{{- $given }}
{{- end }}
{{- end }}

{{/* Takes a pool's `name` and `pool`. After its grace a worker asks jobs to stop and writes that they go back to the queue. */}}
{{- define "heavylift.pool.terminationGrace" -}}
{{- $grace := include "heavylift.seconds" (dict "value" .pool.grace "name" (printf "workers.pools.%s.grace" .name)) | int64 }}
{{- $given := .pool.terminationGracePeriodSeconds }}
{{- if kindIs "invalid" $given }}
{{- add $grace 15 }}
{{- else if lt ($given | int64) (add $grace 10) }}
{{- fail (printf "workers.pools.%s.terminationGracePeriodSeconds is %v, but its grace is %v, and a worker needs 10 s more to hand its jobs back. Raise it to %d, lower the grace, or set it to null." .name $given .pool.grace (add $grace 10)) }}
{{- else }}
{{- $given }}
{{- end }}
{{- end }}
