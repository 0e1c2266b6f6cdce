{{/*
What is wrong with a cron expression of five fields as the controller reads it, in words, or nothing. A date that never
comes, such as 30 February, is found by the controller alone.
*/}}
{{- define "heavylift.cron.wrong" -}}
{{- $months := list "JAN" "FEB" "MAR" "APR" "MAY" "JUN" "JUL" "AUG" "SEP" "OCT" "NOV" "DEC" }}
{{- $days := list "SUN" "MON" "TUE" "WED" "THU" "FRI" "SAT" }}
{{- $fields := list
  (dict "name" "minute" "least" 0 "most" 59)
  (dict "name" "hour" "least" 0 "most" 23)
  (dict "name" "day of the month" "least" 1 "most" 31 "special" "^LW?(/0*[1-9][0-9]*)?$")
  (dict "name" "month" "least" 1 "most" 12 "words" $months)
  (dict "name" "day of the week" "least" 0 "most" 7 "words" $days "special" "^0*[0-7](L|#0*[1-5])$") }}
{{- range $place, $text := regexSplit " +" . -1 }}
{{- $field := index $fields $place }}
{{- range $term := splitList "," $text }}
{{- if not (include "heavylift.cron.knows" (dict "term" (upper $term) "field" $field)) }}
{{- printf "%q is no %s. Write %d to %d, ranges upwards (1-5), steps of 1 or more (*/5). " $term $field.name $field.least $field.most }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether a field may have a term: `*`, a value or a range, each with or without a step, or what only this field has. */}}
{{- define "heavylift.cron.knows" -}}
{{- $term := .term }}
{{- range $place, $word := .field.words }}
{{- $term = regexReplaceAll (printf "\\b%s\\b" $word) $term (add $place $.field.least | toString) }}
{{- end }}
{{- $range := regexReplaceAll "/0*[1-9][0-9]*$" $term "" }}
{{- if or (eq $range "*") (and .field.special (regexMatch (.field.special | toString) $term)) }}true
{{- else if regexMatch "^[0-9]+(-[0-9]+)?$" $range }}
{{- $ends := splitList "-" $range }}
{{- $from := first $ends | atoi }}
{{- $to := last $ends | atoi }}
{{- if and (le .field.least $from) (le $from $to) (le $to .field.most) }}true{{ end }}
{{- end }}
{{- end }}
