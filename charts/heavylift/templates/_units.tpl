{{/* The seconds of a duration as the services read it: 90, 90s, 15m, 24h, 7d. Takes a dict of `value` and its `name`. */}}
{{- define "heavylift.seconds" -}}
{{- $text := include "heavylift.text" .value }}
{{- if not (regexMatch "^[0-9]+[smhd]?$" $text) }}
{{- fail (printf "%s: %q is no duration. Write a whole number with s, m, h or d, such as 90s, 15m or 24h." .name $text) }}
{{- end }}
{{- $factor := get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) (regexFind "[smhd]$" $text) | default 1 }}
{{- mul (regexFind "^[0-9]+" $text | int64) $factor }}
{{- end }}

{{/* The bytes of a quantity of memory: 512Mi, 2G, 1073741824. Takes a dict of `value` and its `name`. */}}
{{- define "heavylift.bytes" -}}
{{- $text := include "heavylift.text" .value }}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$" $text) }}
{{- fail (printf "%s: %q is no quantity of memory. Write it as 512Mi or 2Gi." .name $text) }}
{{- end }}
{{- $factors := dict "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 }}
{{- $factor := get $factors (regexFind "[kMGTi]+$" $text) | default 1.0 }}
{{- mulf (regexFind "^[0-9.]+" $text | float64) $factor | int64 }}
{{- end }}

{{/* A value as text. Helm reads numbers as floats, which would be printed as 1e+06. */}}
{{- define "heavylift.text" -}}
{{- if kindIs "float64" . }}{{ if eq . (. | int64 | float64) }}{{ . | int64 }}{{ else }}{{ . }}{{ end }}
{{- else }}{{ . | toString }}{{ end }}
{{- end }}
