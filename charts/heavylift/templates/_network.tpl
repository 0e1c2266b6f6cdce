{{/*
A NetworkPolicy for the pods of some components; none named: all of the release. Takes `what` (it ends the name), `pool`,
and `ingress` or `egress`: the direction that is not there is left to other policies.
*/}}
{{- define "heavylift.networkPolicy" }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "heavylift.metadata" (dict "root" .root "component" "network" "name" (printf "%s-%s" (include "heavylift.fullname" .root) .what)) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: heavylift
      app.kubernetes.io/instance: {{ .root.Release.Name }}
      {{- with .pool }}
      heavylift.dev/pool: {{ . }}
      {{- end }}
    {{- with .components }}
    matchExpressions:
      - key: app.kubernetes.io/component
        operator: In
        values:
          {{- toYaml . | nindent 10 }}
    {{- end }}
  policyTypes:
    {{- if hasKey . "ingress" }}
    - Ingress
    {{- end }}
    {{- if hasKey . "egress" }}
    - Egress
    {{- end }}
  {{- with .ingress }}
  ingress:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .egress }}
  egress:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* A list of ports of NetworkPolicies: each of `ports` with each of `protocols`. */}}
{{- define "heavylift.ports" -}}
{{- range $port := .ports }}
{{- range $.protocols }}
- port: {{ $port }}
  protocol: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The ports of an external Redis and of its sentinels. */}}
{{- define "heavylift.externalRedis.ports" -}}
{{- $ports := list (.Values.externalRedis.port | int) }}
{{- range .Values.externalRedis.sentinel.nodes }}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "26379" | int) }}
{{- end }}
{{- toYaml (uniq $ports) }}
{{- end }}

{{- define "heavylift.s3.port" -}}
{{- $endpoint := .Values.artifacts.s3.endpoint }}
{{- $port := ternary 80 443 (hasPrefix "http://" $endpoint) }}
{{- regexFind ":[0-9]+(/|$)" (trimPrefix "https://" (trimPrefix "http://" $endpoint)) | trimAll ":/" | default (toString $port) }}
{{- end }}
