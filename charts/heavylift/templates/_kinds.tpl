{{/* Whole objects that several parts have. Each takes a part's context. */}}

{{- define "heavylift.serviceAccount" -}}
{{- if .values.serviceAccount.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- $named := dict "name" (include "heavylift.serviceAccountName" .) "annotations" .values.serviceAccount.annotations }}
  {{- include "heavylift.metadata" (merge $named .) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
{{- end }}

{{/*
AlwaysAllow: a pod that is not ready (it drains, or it is broken) must not hold up the drain of a node. Pods that have to
share a node get no budget: what is evicted first can start nowhere before the others have left, and a budget would keep
them there for ever.
*/}}
{{- define "heavylift.podDisruptionBudget" -}}
{{- $pdb := .values.pdb }}
{{- if and $pdb.enabled (not (and .artifacts (include "heavylift.artifacts.oneNode" .root))) }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "heavylift.metadata" . | nindent 2 }}
spec:
  {{- if not (kindIs "invalid" $pdb.minAvailable) }}
  minAvailable: {{ include "heavylift.text" $pdb.minAvailable }}
  {{- else }}
  maxUnavailable: {{ kindIs "invalid" $pdb.maxUnavailable | ternary "1" (include "heavylift.text" $pdb.maxUnavailable) }}
  {{- end }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "heavylift.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* Takes also `autoscaling`: {min, max, cpu, memory, behavior}. */}}
{{- define "heavylift.horizontalPodAutoscaler" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "heavylift.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .name }}
  minReplicas: {{ .autoscaling.min | int64 }}
  maxReplicas: {{ .autoscaling.max | int64 }}
  metrics:
    {{- range $resource := list "cpu" "memory" }}
    {{- with get $.autoscaling $resource }}
    - type: Resource
      resource:
        name: {{ $resource }}
        target:
          type: Utilization
          averageUtilization: {{ . | int64 }}
    {{- end }}
    {{- end }}
  {{- with .autoscaling.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Takes also `ingress` and `port`, the Service's. */}}
{{- define "heavylift.ingress" -}}
{{- $ingress := .ingress }}
{{- if $ingress.enabled }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "heavylift.metadata" (merge (dict "annotations" $ingress.annotations) .) | nindent 2 }}
spec:
  {{- with $ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $ingress.tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    {{- range $ingress.hosts }}
    - host: {{ . | quote }}
      http:
        paths:
          - path: {{ $ingress.path }}
            pathType: Prefix
            backend:
              service:
                name: {{ $.name }}
                port:
                  name: http
    {{- end }}
{{- end }}
{{- end }}

{{- define "heavylift.httpRoute" -}}
{{- $route := .httpRoute }}
{{- if $route.enabled }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "heavylift.metadata" (merge (dict "annotations" $route.annotations) .) | nindent 2 }}
spec:
  parentRefs:
    {{- toYaml $route.parentRefs | nindent 4 }}
  {{- with $route.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: {{ $route.path }}
      {{- with $route.filters }}
      filters:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $route.timeouts }}
      timeouts:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      backendRefs:
        - name: {{ .name }}
          port: {{ .port }}
{{- end }}
{{- end }}
