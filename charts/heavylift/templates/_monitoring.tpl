{{/* Labels of the Service or pod that its series get: the dashboard tells releases apart by the first. */}}
{{- define "heavylift.targetLabels" -}}
- app.kubernetes.io/instance
- app.kubernetes.io/component
{{- end }}

{{/* How an endpoint is scraped. Takes the monitor's values. */}}
{{- define "heavylift.scrape" -}}
path: /metrics
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
