{{/* Seconds a pod gets to end: those given, else what it has to do in them and a margin. _checks.tpl sees that they are enough. */}}

{{- define "heavylift.api.terminationGrace" -}}
{{- $given := .Values.api.terminationGracePeriodSeconds }}
{{- ternary (add (include "heavylift.api.ending" .) 10) ($given | int64) (kindIs "invalid" $given) }}
{{- end }}

{{/* What an API pod does after it was told to end: it goes on serving for a while, then ends its requests. */}}
{{- define "heavylift.api.ending" -}}
{{- $api := .Values.api }}
{{- add (include "heavylift.seconds" (dict "value" $api.shutdownGrace "name" "api.shutdownGrace")) $api.preStopSleepSeconds }}
{{- end }}

{{/* Takes a pool's `name` and `pool`. */}}
{{- define "heavylift.pool.terminationGrace" -}}
{{- $given := .pool.terminationGracePeriodSeconds }}
{{- ternary (add (include "heavylift.pool.grace" .) 15) ($given | int64) (kindIs "invalid" $given) }}
{{- end }}

{{- define "heavylift.pool.grace" -}}
{{- include "heavylift.seconds" (dict "value" .pool.grace "name" (printf "workers.pools.%s.grace" .name)) }}
{{- end }}
