{{/*
A secret value, in base64, that stays the same over upgrades: what values give, else what the cluster has, else `new`.
Takes a dict of `root`, `secret` (the Secret's name), `key`, `given` and `new`.
*/}}
{{- define "heavylift.secretValue" -}}
{{- if .given }}{{ .given | b64enc }}{{ else }}{{ include "heavylift.secretFound" . | default (.new | b64enc) }}{{ end }}
{{- end }}

{{/* What a Secret in the cluster has under a key, in base64; empty if there is none. Takes `root`, `secret` and `key`. */}}
{{- define "heavylift.secretFound" -}}
{{- with lookup "v1" "Secret" .root.Release.Namespace .secret }}{{ get (.data | default dict) $.key }}{{ end }}
{{- end }}

{{/* Changes when a secret given in values does. Of one that may be weak no more than a few bits are shown. */}}
{{- define "heavylift.secretChecksum" -}}
{{- . | sha256sum | trunc 8 }}
{{- end }}

{{- define "heavylift.apiKeys.secret" -}}
{{- .Values.api.apiKeys.existingSecret | default (printf "%s-api-keys" (include "heavylift.fullname" .)) }}
{{- end }}

{{- define "heavylift.flower.secret" -}}
{{- .Values.flower.auth.existingSecret | default (printf "%s-flower-auth" (include "heavylift.fullname" .)) }}
{{- end }}

{{/* The Secret with Redis's password, ours or another's; empty where Redis asks for none. */}}
{{- define "heavylift.redis.secret" -}}
{{- $own := printf "%s-redis-auth" (include "heavylift.fullname" .) }}
{{- if .Values.redis.enabled }}
{{- .Values.redis.auth.existingSecret | default $own }}
{{- else }}
{{- .Values.externalRedis.auth.existingSecret | default (ternary $own "" (not (empty .Values.externalRedis.auth.password))) }}
{{- end }}
{{- end }}

{{- define "heavylift.redis.secretKey" -}}
{{- $auth := ternary .Values.redis.auth .Values.externalRedis.auth .Values.redis.enabled }}
{{- ternary $auth.existingSecretKey "password" (not (empty $auth.existingSecret)) }}
{{- end }}

{{/* The Secret with the sentinels' password; empty where they ask for none. */}}
{{- define "heavylift.sentinel.secret" -}}
{{- $sentinel := .Values.externalRedis.sentinel }}
{{- $own := printf "%s-sentinel-auth" (include "heavylift.fullname" .) }}
{{- if and (not .Values.redis.enabled) $sentinel.nodes }}
{{- $sentinel.existingSecret | default (ternary $own "" (not (empty $sentinel.password))) }}
{{- end }}
{{- end }}

{{- define "heavylift.s3.secret" -}}
{{- $s3 := .Values.artifacts.s3 }}
{{- $own := printf "%s-s3" (include "heavylift.fullname" .) }}
{{- if eq .Values.artifacts.type "s3" }}
{{- $s3.existingSecret | default (ternary $own "" (not (empty $s3.secretAccessKey))) }}
{{- end }}
{{- end }}
