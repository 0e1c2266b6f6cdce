{{/*
Values that cannot work together, which a schema cannot say. Each check adds a sentence that names the value and the
remedy to the list it is given; templates/checks.yaml refuses to render with all of them at once.
*/}}

{{- define "heavylift.checks" -}}
{{- $wrong := dict "sentences" list }}
{{- include "heavylift.checks.secrets" (dict "root" . "wrong" $wrong) }}
{{- include "heavylift.checks.redis" (dict "root" . "wrong" $wrong) }}
{{- include "heavylift.checks.artifacts" (dict "root" . "wrong" $wrong) }}
{{- include "heavylift.checks.scaling" (dict "root" . "wrong" $wrong) }}
{{- include "heavylift.checks.exposed" (dict "root" . "wrong" $wrong) }}
{{- include "heavylift.checks.cluster" (dict "root" . "wrong" $wrong) }}
{{- range $name, $pool := include "heavylift.pools" . | fromYaml }}
{{- include "heavylift.checks.pool" (dict "root" $ "wrong" $wrong "pool" $pool "poolName" $name "name" (printf "workers.pools.%s" $name)) }}
{{- end }}
{{- with $wrong.sentences }}
{{- fail (printf "these values do not work:\n  - %s\n" (join "\n  - " .)) }}
{{- end }}
{{- end }}

{{/* Takes `wrong` and the sentence, `say`. */}}
{{- define "heavylift.wrong" -}}
{{- $_ := set .wrong "sentences" (append .wrong.sentences .say) }}
{{- end }}

{{/* Without a cluster a made-up secret would be another one each time. `lookup` finds nothing then, and does not say so. */}}
{{- define "heavylift.checks.secrets" -}}
{{- $values := .root.Values }}
{{- $needed := list
  (list $values.redis.enabled $values.redis.auth "redis.auth.existingSecret" "redis.auth.password" $values.redis.auth.password)
  (list true $values.api.apiKeys "api.apiKeys.existingSecret" "api.apiKeys.key" $values.api.apiKeys.key)
  (list (and $values.flower.enabled $values.flower.auth.enabled) $values.flower.auth "flower.auth.existingSecret" "flower.auth.password" $values.flower.auth.password) }}
{{- if not (.root.Capabilities.APIVersions.Has "v1/Pod") }}
{{- range $needed }}
{{- if and (index . 0) (not (index . 1).existingSecret) (not (index . 4)) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s is empty, and a secret that is made up without a cluster would be another one at each render. Set it (or %s), or render against the cluster: helm upgrade --install --dry-run=server." (index . 2) (index . 3))) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "heavylift.checks.redis" -}}
{{- $own := .root.Values.redis.enabled }}
{{- $redis := .root.Values.externalRedis }}
{{- $external := or $redis.host $redis.urlSecret.name $redis.sentinel.nodes }}
{{- if and $own $external }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" "redis.enabled is true and externalRedis names another Redis. Set redis.enabled to false to use that one, or leave out externalRedis.host, externalRedis.urlSecret and externalRedis.sentinel.nodes.") }}
{{- end }}
{{- if and (not $own) (not $external) }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" "redis.enabled is false, and nothing says where Redis is. Set externalRedis.host, externalRedis.urlSecret.name or externalRedis.sentinel.nodes.") }}
{{- end }}
{{- with .root.Values.redis }}
{{- if and .enabled (not .maxmemory) (not (dig "limits" "memory" "" .resources)) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" "redis.resources.limits.memory is not set, so redis.maxmemoryPercent has nothing to be a share of. Set it, or set redis.maxmemory.") }}
{{- end }}
{{- end }}
{{- with .root.Values.redis }}
{{- $limit := dig "limits" "memory" "" .resources }}
{{- if and .enabled .maxmemory }}
{{- $bytes := include "heavylift.redis.bytes" .maxmemory | int64 }}
{{- if not $bytes }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "redis.maxmemory is %v, which Redis takes for no limit. Set it below redis.resources.limits.memory, or leave it empty." .maxmemory)) }}
{{- else if and $limit (gt $bytes (include "heavylift.bytes" (dict "value" $limit "name" "redis.resources.limits.memory") | int64)) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "redis.maxmemory is %s, which is above redis.resources.limits.memory, %s: Redis would be killed before it is full. Raise the limit, or lower it." (include "heavylift.text" .maxmemory) (include "heavylift.text" $limit))) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $redis.host (or $redis.sentinel.nodes $redis.urlSecret.name) }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" "externalRedis.host is set beside externalRedis.sentinel.nodes or externalRedis.urlSecret.name, which say where Redis is themselves. Leave it empty.") }}
{{- end }}
{{- end }}

{{- define "heavylift.checks.artifacts" -}}
{{- $s3 := .root.Values.artifacts.s3 }}
{{- if eq .root.Values.artifacts.type "s3" }}
{{- if not $s3.bucket }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" "artifacts.type is s3, but artifacts.s3.bucket is empty. Set it to the bucket's name.") }}
{{- end }}
{{- if and (not $s3.existingSecret) (ne (empty $s3.accessKeyId) (empty $s3.secretAccessKey)) }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" "Of artifacts.s3.accessKeyId and artifacts.s3.secretAccessKey only one is set. Set both, or artifacts.s3.existingSecret, or none for the credentials of the ServiceAccounts.") }}
{{- end }}
{{- else if $s3.bucket }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" "artifacts.s3.bucket is set, but artifacts.type is pvc. Set artifacts.type to s3 to use the bucket.") }}
{{- end }}
{{- end }}

{{- define "heavylift.checks.scaling" -}}
{{- $engine := .root.Values.scaling.engine }}
{{- if and (include "heavylift.keda.simple" .root) (not .root.Values.redis.enabled) .root.Values.externalRedis.urlSecret.name }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" "autoscaling.keda.mode is simple, and KEDA reads no URL from a Secret. Set externalRedis.host, port, username and auth in place of externalRedis.urlSecret.") }}
{{- end }}
{{- with .root.Values.api }}
{{- if .autoscaling.enabled }}
{{- include "heavylift.checks.utilization" (dict "wrong" $.wrong "what" "api.autoscaling" "targets" .autoscaling "resources" .resources "resourcesName" "api.resources") }}
{{- include "heavylift.checks.limits" (dict "wrong" $.wrong "what" "api.autoscaling" "limits" .autoscaling) }}
{{- end }}
{{- end }}
{{- end }}

{{/* What the controller could make nothing of. */}}
{{- define "heavylift.checks.builtin" -}}
{{- $autoscaling := .pool.autoscaling }}
{{- $what := printf "%s.autoscaling" .name }}
{{- $most := $autoscaling.max | int64 }}
{{- if gt ($autoscaling.minIdle | int64) $most }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s.minIdle is %v, above %s.max, which is %d. Raise the one or lower the other." $what $autoscaling.minIdle $what $most)) }}
{{- end }}
{{- range $place, $window := $autoscaling.windows }}
{{- with include "heavylift.cron.wrong" $window.cron }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s.windows[%d].cron is %q: %s" $what $place $window.cron (. | trim))) }}
{{- end }}
{{- if gt ($window.min | int64) $most }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s.windows[%d].min is %v, above %s.max, which is %d. Raise the one or lower the other." $what $place $window.min $what $most)) }}
{{- end }}
{{- if not (include "heavylift.seconds" (dict "value" $window.duration "name" (printf "%s.windows[%d].duration" $what $place)) | int64) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s.windows[%d].duration is %v, so the window is never open. Say how long it is, such as 10h." $what $place $window.duration)) }}
{{- end }}
{{- end }}
{{- range $queue := keys ($autoscaling.queues | default dict) | sortAlpha }}
{{- if not (has $queue $.pool.queues) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s.queues names %s, which is none of %s.queues (%s). Take it out, or have the pool serve it." $what $queue $.name (join ", " $.pool.queues))) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "heavylift.checks.limits" -}}
{{- if gt (.limits.min | int64) (.limits.max | int64) }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s.min is %v, above %s.max, which is %v. Raise the one or lower the other." .what .limits.min .what .limits.max)) }}
{{- end }}
{{- end }}

{{/* A share of a request needs a request. */}}
{{- define "heavylift.checks.utilization" -}}
{{- if not (or .targets.cpu .targets.memory) }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s has neither cpu nor memory to go by. Set %s.cpu." .what .what)) }}
{{- end }}
{{- range $resource := list "cpu" "memory" }}
{{- if and (get $.targets $resource) (not (dig "requests" $resource "" $.resources)) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s.%s is a share of %s.requests.%s, which is not set. Set it." $.what $resource $.resourcesName $resource)) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "heavylift.checks.exposed" -}}
{{- with .root.Values.api }}
{{- $needed := include "heavylift.api.ending" $.root | int64 }}
{{- if and .terminationGracePeriodSeconds (le (.terminationGracePeriodSeconds | int64) $needed) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "api.terminationGracePeriodSeconds is %v, but a pod goes on for %d s: api.preStopSleepSeconds (%v), then api.shutdownGrace (%v). Raise it above %d, or set it to null." .terminationGracePeriodSeconds $needed .preStopSleepSeconds .shutdownGrace $needed)) }}
{{- end }}
{{- end }}
{{- range $part := list "api" "flower" }}
{{- with get $.root.Values $part }}
{{- if and .ingress.enabled (not .ingress.hosts) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s.ingress.enabled is true, but %s.ingress.hosts is empty. Name the hosts." $part $part)) }}
{{- end }}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s.httpRoute.enabled is true, but %s.httpRoute.parentRefs is empty. Name the gateway: [{name: …, namespace: …}]." $part $part)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What the cluster has to know. Rendered without one, nothing is known of it. */}}
{{- define "heavylift.checks.cluster" -}}
{{- $values := .root.Values }}
{{- $known := .root.Capabilities.APIVersions }}
{{- $needed := list
  (list (eq $values.scaling.engine "keda") "keda.sh/v1alpha1/ScaledObject" "scaling.engine is keda" "Install KEDA, or set scaling.engine to builtin")
  (list $values.monitoring.serviceMonitor.enabled "monitoring.coreos.com/v1/ServiceMonitor" "monitoring.serviceMonitor.enabled is true" "Install the Prometheus operator, or set it to false")
  (list $values.monitoring.podMonitor.enabled "monitoring.coreos.com/v1/PodMonitor" "monitoring.podMonitor.enabled is true" "Install the Prometheus operator, or set it to false")
  (list (or $values.api.httpRoute.enabled $values.flower.httpRoute.enabled) "gateway.networking.k8s.io/v1/HTTPRoute" "httpRoute.enabled is true" "Install the Gateway API, or set it to false") }}
{{- if $known.Has "v1/Pod" }}
{{- range $needed }}
{{- if and (index . 0) (not ($known.Has (index . 1))) }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s, but the cluster does not know %s. %s." (index . 2) (index . 1) (index . 3))) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "heavylift.checks.pool" -}}
{{- $pool := .pool }}
{{- $engine := .root.Values.scaling.engine }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$" .poolName) }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s: %q is no name of a pool. Write lower case letters, digits and dashes, a letter first, no dash last, 30 at most." .name .poolName)) }}
{{- end }}
{{- $object := printf "%s-worker-%s" (include "heavylift.fullname" .root) .poolName }}
{{- if gt (len $object) 63 }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s: its objects would be called %s, %d characters, of which 63 fit into a label. Shorten the pool's name, or set fullnameOverride." .name $object (len $object))) }}
{{- end }}
{{- if not $pool.queues }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s.queues is empty, so the pool would serve nothing. Name its queues, such as [video], or set %s.enabled to false." .name .name)) }}
{{- end }}
{{- range $variable, $instead := dict
  "HEAVYLIFT_WORKER_NAME" "it is the pod's name"
  "HEAVYLIFT_POOL" "it is the pool's name"
  "HEAVYLIFT_QUEUES" (printf "name the queues in %s.queues" .name) }}
{{- if hasKey ($pool.env | default dict) $variable }}
{{- include "heavylift.wrong" (dict "wrong" $.wrong "say" (printf "%s.env sets %s, by which the controller knows whose pod holds jobs. Take it out: %s." $.name $variable $instead)) }}
{{- end }}
{{- end }}
{{- $grace := include "heavylift.pool.grace" (dict "name" .poolName "pool" $pool) | int64 }}
{{- $given := $pool.terminationGracePeriodSeconds }}
{{- if and $given (lt ($given | int64) (add $grace 10)) }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s.terminationGracePeriodSeconds is %v, but %s.grace is %v, and a worker needs 10 s more to hand its jobs back. Raise it to %d, lower the grace, or set it to null." .name $given .name $pool.grace (add $grace 10))) }}
{{- end }}
{{- if and (eq $pool.egress "custom") (not $pool.egressRules) }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s.egress is custom, but %s.egressRules is empty. Say where the pool may connect to, or set %s.egress to none or internet." .name .name .name)) }}
{{- end }}
{{- if and (ne $pool.egress "custom") $pool.egressRules }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s.egressRules is set, but %s.egress is %s. Set it to custom to use the rules." .name .name $pool.egress)) }}
{{- end }}
{{- if ne $engine "none" }}
{{- include "heavylift.checks.limits" (dict "wrong" .wrong "what" (printf "%s.autoscaling" .name) "limits" $pool.autoscaling) }}
{{- end }}
{{- if include "heavylift.scaling" .root }}
{{- include "heavylift.checks.builtin" . }}
{{- end }}
{{- if eq $engine "hpa" }}
{{- if lt ($pool.autoscaling.min | int64) 1 }}
{{- include "heavylift.wrong" (dict "wrong" .wrong "say" (printf "%s.autoscaling.min is 0, which scaling.engine hpa cannot do: without a pod there is no CPU to measure. Set it to 1 or more." .name)) }}
{{- end }}
{{- include "heavylift.checks.utilization" (dict "wrong" .wrong "what" (printf "%s.autoscaling.hpa" .name) "targets" $pool.autoscaling.hpa "resources" $pool.resources "resourcesName" (printf "%s.resources" .name)) }}
{{- end }}
{{- end }}
