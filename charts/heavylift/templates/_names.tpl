{{/*
Most templates here take a part's context: a dict with `root` (the chart's `$`), `component`, `name` (of its objects),
`values` (the part's own) and, for a pool, `pool`.
*/}}

{{/*
The start of all objects' names. At most 40 characters: what is appended has to fit into 63. Of a longer name the end
becomes a hash, so that two that begin alike stay two.
*/}}
{{- define "heavylift.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- $full = .Values.fullnameOverride | default $full | replace "." "-" }}
{{- if gt (len $full) 40 }}
{{- $full = printf "%s-%s" (trunc 31 $full | trimSuffix "-") (sha256sum $full | trunc 8) }}
{{- end }}
{{- $full }}
{{- end }}

{{/* Labels that find a part's pods. Immutable in Deployments and StatefulSets: nothing that ever changes. */}}
{{- define "heavylift.selector" -}}
app.kubernetes.io/name: heavylift
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .pool }}
heavylift.dev/pool: {{ . }}
{{- end }}
{{- end }}

{{/* Labels of a pod. Not the chart's version: a new chart alone restarts nothing. */}}
{{- define "heavylift.podLabels" -}}
{{- $own := dict "app.kubernetes.io/part-of" "heavylift" }}
{{- if and .artifacts (eq .root.Values.artifacts.type "pvc") }}
{{- $_ := set $own "heavylift.dev/artifacts" (include "heavylift.artifacts.label" .root) }}
{{- end }}
{{- $selector := include "heavylift.selector" . | fromYaml }}
{{- toYaml (merge $selector $own (.values.podLabels | default dict) .root.Values.commonLabels) }}
{{- end }}

{{- define "heavylift.labels" -}}
{{- $own := dict
  "app.kubernetes.io/version" (.root.Chart.AppVersion | trunc 63)
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/part-of" "heavylift"
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $selector := include "heavylift.selector" . | fromYaml }}
{{- toYaml (merge $selector $own .root.Values.commonLabels) }}
{{- end }}

{{/* The metadata of an object. `annotations` and `labels` of the context are the object's own. */}}
{{- define "heavylift.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- toYaml (merge (include "heavylift.labels" . | fromYaml) (.labels | default dict)) | nindent 2 }}
{{- with merge dict (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "heavylift.serviceAccountName" -}}
{{- $account := .values.serviceAccount }}
{{- $account.name | default (ternary .name "default" $account.create) }}
{{- end }}

{{/* An image's address. Of `own` images registry and tag default to those of the whole chart. */}}
{{- define "heavylift.image" -}}
{{- $image := .image }}
{{- $registry := $image.registry | default (ternary .root.Values.image.registry "" .own) }}
{{- $tag := $image.tag | default (ternary (.root.Values.image.tag | default .root.Chart.AppVersion) "" .own) }}
{{- with $registry }}{{ . | trimSuffix "/" }}/{{ end }}
{{- $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else if $tag }}:{{ $tag }}{{ end }}
{{- end }}

{{/* Every pool that is on, as a map from its name to its values over the defaults. A null takes a default away. */}}
{{- define "heavylift.pools" -}}
{{- $pools := dict }}
{{- range $name, $pool := .Values.workers.pools }}
{{- $merged := mergeOverwrite (deepCopy $.Values.workers.defaults) (deepCopy ($pool | default dict)) }}
{{- include "heavylift.withoutNulls" $merged }}
{{- if $merged.enabled }}
{{- $_ := set $pools $name $merged }}
{{- end }}
{{- end }}
{{- toYaml $pools }}
{{- end }}

{{/* Removes, in place, every key whose value is null. */}}
{{- define "heavylift.withoutNulls" -}}
{{- range $key, $value := . }}
{{- if kindIs "invalid" $value }}
{{- $_ := unset $ $key }}
{{- else if kindIs "map" $value }}
{{- include "heavylift.withoutNulls" $value }}
{{- end }}
{{- end }}
{{- end }}

{{/* The queues of all pools, separated by commas. */}}
{{- define "heavylift.queues" -}}
{{- $queues := list }}
{{- range include "heavylift.pools" . | fromYaml }}
{{- $queues = concat $queues .queues }}
{{- end }}
{{- join "," (uniq $queues | sortAlpha) }}
{{- end }}

{{/* Whether the pod of `helm test` is rendered: it submits a job of the queue `video`. */}}
{{- define "heavylift.test.possible" -}}
{{- if .Values.test.enabled }}
{{- range include "heavylift.pools" . | fromYaml }}
{{- if has "video" .queues }}true{{ end }}
{{- end }}
{{- end }}
{{- end }}
