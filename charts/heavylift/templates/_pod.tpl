{{/*
What the pods of all parts have in common: who they run as, where they may run. A pod carries a token for the API server
only where `token` says so: the controller, if it scales.
*/}}
{{- define "heavylift.podSpec" -}}
{{- $values := .values }}
serviceAccountName: {{ include "heavylift.serviceAccountName" . }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
securityContext:
  {{- toYaml (mergeOverwrite (deepCopy .root.Values.podSecurityContext) ($values.podSecurityContext | default dict)) | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "heavylift.affinity" . }}
affinity:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "heavylift.tolerations" . }}
tolerations:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "heavylift.spread" . }}
topologySpreadConstraints:
  {{- . | nindent 2 }}
{{- end }}
{{- with $values.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* After a node's loss Kubernetes would wait five minutes before it starts the node's pods elsewhere. */}}
{{- define "heavylift.tolerations" -}}
{{- $tolerations := .values.tolerations | default list }}
{{- $seconds := .root.Values.nodeLossTolerationSeconds }}
{{- if not (kindIs "invalid" $seconds) }}
{{- range list "not-ready" "unreachable" }}
{{- $tolerations = append $tolerations (dict "key" (printf "node.kubernetes.io/%s" .) "operator" "Exists" "effect" "NoExecute" "tolerationSeconds" $seconds) }}
{{- end }}
{{- end }}
{{- with $tolerations }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* Constraints without a selector of their own mean the part's pods. */}}
{{- define "heavylift.spread" -}}
{{- $selector := dict "labelSelector" (dict "matchLabels" (include "heavylift.selector" . | fromYaml)) }}
{{- $constraints := list }}
{{- range .values.topologySpreadConstraints }}
{{- $constraints = append $constraints (merge (deepCopy .) $selector) }}
{{- end }}
{{- with $constraints }}{{ toYaml . }}{{ end }}
{{- end }}

{{/*
The part's affinity. A volume that one node at a time can mount needs all pods that mount it on one node; without the
rule they would be spread, and all but one node's would hang in ContainerCreating.
*/}}
{{- define "heavylift.affinity" -}}
{{- $affinity := deepCopy (.values.affinity | default dict) }}
{{- if and .artifacts (include "heavylift.artifacts.oneNode" .root) }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (dict "heavylift.dev/artifacts" (include "heavylift.artifacts.label" .root))) }}
{{- $pods := $affinity.podAffinity | default dict }}
{{- $terms := append ($pods.requiredDuringSchedulingIgnoredDuringExecution | default list) $term }}
{{- $_ := set $affinity "podAffinity" (merge (dict "requiredDuringSchedulingIgnoredDuringExecution" $terms) $pods) }}
{{- end }}
{{- with $affinity }}{{ toYaml . }}{{ end }}
{{- end }}

{{- define "heavylift.artifacts.oneNode" -}}
{{- $pvc := .Values.artifacts.pvc }}
{{- if and (eq .Values.artifacts.type "pvc") $pvc.sameNode (not (has "ReadWriteMany" $pvc.accessModes)) }}true{{ end }}
{{- end }}

{{/* The restricted profile of a container. */}}
{{- define "heavylift.securityContext" -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.securityContext) (.values.securityContext | default dict)) }}
{{- end }}

{{/* Image, pull policy and security of a part's main container, if it is an image of ours. */}}
{{- define "heavylift.container" -}}
image: {{ include "heavylift.image" (dict "root" .root "image" .values.image "own" true) | quote }}
imagePullPolicy: {{ .values.image.pullPolicy | default .root.Values.image.pullPolicy }}
{{ include "heavylift.lastWords" . }}
securityContext:
  {{- include "heavylift.securityContext" . | nindent 2 }}
{{- with .values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- end }}

{{/* A service that cannot start says why in one sentence: `kubectl describe pod` shows it. */}}
{{- define "heavylift.lastWords" -}}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{/* Probes by HTTP: nothing is started in the container, least of all a Python. Takes `probes`, `port` and `defaults`. */}}
{{- define "heavylift.probes" -}}
{{- $port := .port }}
{{- range $kind := list "startup" "readiness" "liveness" }}
{{- $probe := deepCopy (get $.probes $kind) }}
{{- $path := $probe.path }}
{{- $_ := unset $probe "path" }}
{{ $kind }}Probe:
  httpGet:
    path: {{ printf "%s%s" ($.prefix | default "") $path }}
    port: {{ $port }}
  {{- toYaml $probe | nindent 2 }}
{{- end }}
{{- end }}

{{/*
Annotations that a Prometheus without the operator looks for, and those that restart a pod when what it reads at its start
alone has changed. Takes the part's context and `port`.
*/}}
{{- define "heavylift.podAnnotations" -}}
{{- $annotations := dict }}
{{- if and .port .root.Values.monitoring.scrapeAnnotations }}
{{- $_ := set $annotations "prometheus.io/scrape" "true" }}
{{- $_ := set $annotations "prometheus.io/port" (.port | toString) }}
{{- $_ := set $annotations "prometheus.io/path" "/metrics" }}
{{- end }}
{{- $s3 := .root.Values.artifacts.s3 }}
{{- if and .artifacts (eq .root.Values.artifacts.type "s3") (not $s3.existingSecret) $s3.secretAccessKey }}
{{- $_ := set $annotations "checksum/s3" (include "heavylift.secretChecksum" (printf "%s:%s" $s3.accessKeyId $s3.secretAccessKey)) }}
{{- end }}
{{- $all := mergeOverwrite $annotations (.checksums | default dict) (deepCopy (.values.podAnnotations | default dict)) }}
{{- with $all }}{{ toYaml . }}{{ end }}
{{- end }}
