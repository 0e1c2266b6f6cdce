{{/* What a reader of the notes may not expect, a line each. */}}
{{- define "heavylift.warnings" -}}
{{- $values := .Values }}
{{- if include "heavylift.artifacts.oneNode" . }}
- Files lie in a volume that one node at a time can mount ({{ join ", " $values.artifacts.pvc.accessModes }}), so API, workers and controllers all run on that node, and leave it together when it is drained. For several nodes: artifacts.type=s3, or a claim that is ReadWriteMany.
{{- else if and (eq $values.artifacts.type "pvc") (not (has "ReadWriteMany" $values.artifacts.pvc.accessModes)) }}
- Files lie in a volume that one node at a time can mount, and artifacts.pvc.sameNode is false: pods on other nodes hang in ContainerCreating.
{{- end }}
{{- if and $values.redis.enabled (not $values.redis.persistence.enabled) (not $values.redis.persistence.existingClaim) }}
- Redis keeps nothing on a disk: when its pod is replaced, all jobs are lost (redis.persistence.enabled).
{{- end }}
{{- if and (not $values.redis.enabled) (not (include "heavylift.redis.secret" .)) (not $values.externalRedis.urlSecret.name) }}
- Redis is asked without a password (externalRedis.auth.existingSecret).
{{- end }}
{{- if and $values.flower.enabled (not $values.flower.auth.enabled) }}
- Flower asks for no password: whoever reaches it sees the arguments of all jobs (flower.auth.enabled).
{{- end }}
{{- if and $values.networkPolicy.enabled (not $values.redis.enabled) $values.externalRedis.urlSecret.name }}
- What the URL in the Secret {{ $values.externalRedis.urlSecret.name }} says is not known here: the NetworkPolicy lets pods reach port {{ $values.externalRedis.port }} alone (externalRedis.port).
{{- end }}
{{- if and $values.networkPolicy.enabled (include "heavylift.flower.closed" .) }}
- networkPolicy.flowerFrom lets the namespace's own pods reach Flower, but no Ingress controller or gateway of another one.
{{- end }}
{{- if not $values.networkPolicy.enabled }}
- No NetworkPolicies: every pod of the cluster reaches Redis (networkPolicy.enabled).
{{- end }}
{{- if or $values.redis.auth.password $values.api.apiKeys.key $values.flower.auth.password $values.externalRedis.auth.password $values.artifacts.s3.secretAccessKey }}
- Passwords given as values can be read with `helm get values`. Secrets of your own are named with existingSecret.
{{- end }}
{{- range $queue, $pools := include "heavylift.sharedQueues" . | fromYaml }}
- The queue {{ $queue }} is served by several pools ({{ join ", " $pools }}){{ if include "heavylift.scaling.acts" $ }}, and each of them grows for all of it{{ end }}.
{{- end }}
{{- range $name, $pool := include "heavylift.pools" . | fromYaml }}
{{- if and (eq $values.scaling.engine "keda") (eq ($pool.autoscaling.keda.mode | default "brain") "brain") $pool.autoscaling.keda.triggers }}
- The triggers of workers.pools.{{ $name }}.autoscaling.keda are left out: in the mode brain the controller would take away what they add. It has windows and a min of its own.
{{- end }}
{{- end }}
{{- with include "heavylift.keda.simple" . | fromYaml | keys | sortAlpha }}
- KEDA does not see running jobs ({{ join ", " . }}): it takes pods away that still work. They get the pool's grace, then their jobs go back to the queue.
{{- end }}
{{- end }}

{{/* Whether Flower is to be reached from outside, by what the policy does not let in. */}}
{{- define "heavylift.flower.closed" -}}
{{- $flower := .Values.flower }}
{{- $open := empty .Values.networkPolicy.flowerFrom }}
{{- range .Values.networkPolicy.flowerFrom }}
{{- $open = or $open (hasKey . "namespaceSelector") (hasKey . "ipBlock") }}
{{- end }}
{{- if and $flower.enabled (or $flower.ingress.enabled $flower.httpRoute.enabled) (not $open) }}true{{ end }}
{{- end }}

{{/* Queues that several pools serve, with those pools. */}}
{{- define "heavylift.sharedQueues" -}}
{{- $served := dict }}
{{- range $name, $pool := include "heavylift.pools" . | fromYaml }}
{{- range $queue := uniq $pool.queues }}
{{- $_ := set $served $queue (append (get $served $queue | default list) $name) }}
{{- end }}
{{- end }}
{{- range $queue, $pools := $served }}
{{- if gt (len $pools) 1 }}
{{ $queue }}: {{ toJson $pools }}
{{- end }}
{{- end }}
{{- end }}

{{/* What stays after the release is gone. */}}
{{- define "heavylift.leftovers" -}}
{{- $fullname := include "heavylift.fullname" . }}
{{- $claims := list }}
{{- with .Values.redis }}
{{- if and .enabled .persistence.enabled (not .persistence.existingClaim) (eq .persistence.retentionPolicy.whenDeleted "Retain") }}
{{- $claims = append $claims (printf "data-%s-redis-0 (jobs)" $fullname) }}
{{- end }}
{{- end }}
{{- with .Values.artifacts }}
{{- if and (eq .type "pvc") (not .pvc.existingClaim) .pvc.retain }}
{{- $claims = append $claims (printf "%s-artifacts (files)" $fullname) }}
{{- end }}
{{- end }}
{{- with $claims }} the claims {{ join " and " . }}{{ end }}
{{- end }}
