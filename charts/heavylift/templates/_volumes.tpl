{{/* What a service that talks to Redis mounts. Files of Secrets are readable by the pod's group alone. */}}
{{- define "heavylift.redis.volumeMounts" -}}
{{- if include "heavylift.redis.secret" . }}
- name: redis-auth
  mountPath: /etc/heavylift/redis
  readOnly: true
{{- end }}
{{- if include "heavylift.redis.tlsSources" . }}
- name: redis-tls
  mountPath: /etc/heavylift/redis-tls
  readOnly: true
{{- end }}
{{- if include "heavylift.sentinel.secret" . }}
- name: sentinel-auth
  mountPath: /etc/heavylift/sentinel
  readOnly: true
{{- end }}
{{- end }}

{{- define "heavylift.redis.volumes" -}}
{{- with include "heavylift.redis.secret" . }}
- name: redis-auth
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items:
      - key: {{ include "heavylift.redis.secretKey" $ }}
        path: password
{{- end }}
{{- with include "heavylift.redis.tlsSources" . }}
- name: redis-tls
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- with include "heavylift.sentinel.secret" . }}
{{- $sentinel := $.Values.externalRedis.sentinel }}
- name: sentinel-auth
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items:
      - key: {{ ternary $sentinel.existingSecretKey "password" (not (empty $sentinel.existingSecret)) }}
        path: password
{{- end }}
{{- end }}

{{- define "heavylift.redis.tlsSources" -}}
{{- $tls := .Values.externalRedis.tls }}
{{- if and (not .Values.redis.enabled) $tls.enabled }}
{{- with $tls.caSecret }}
{{- if .name }}
- secret:
    name: {{ .name }}
    items:
      - key: {{ .key }}
        path: ca.crt
{{- end }}
{{- end }}
{{- with $tls.clientSecret }}
{{- if .name }}
- secret:
    name: {{ .name }}
    items:
      - key: {{ .certKey }}
        path: tls.crt
      - key: {{ .keyKey }}
        path: tls.key
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "heavylift.artifacts.claim" -}}
{{- .Values.artifacts.pvc.existingClaim | default (printf "%s-artifacts" (include "heavylift.fullname" .)) }}
{{- end }}

{{/* The value of the label that pods with these files carry: labels are shorter than names may be. */}}
{{- define "heavylift.artifacts.label" -}}
{{- include "heavylift.artifacts.claim" . | trunc 63 | trimSuffix "-" | trimSuffix "." }}
{{- end }}

{{- define "heavylift.artifacts.volumeMounts" -}}
{{- if eq .Values.artifacts.type "pvc" }}
- name: artifacts
  mountPath: /var/lib/heavylift/artifacts
{{- end }}
{{- end }}

{{- define "heavylift.artifacts.volumes" -}}
{{- if eq .Values.artifacts.type "pvc" }}
- name: artifacts
  persistentVolumeClaim:
    claimName: {{ include "heavylift.artifacts.claim" . }}
{{- end }}
{{- end }}

{{/* A scratch folder: the root file system is read-only. Takes {type, sizeLimit, medium, storageClass}. */}}
{{- define "heavylift.tmp.volume" -}}
- name: tmp
{{- if eq .type "ephemeral" }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ include "heavylift.text" .sizeLimit }}
{{- else }}
  emptyDir:
    sizeLimit: {{ include "heavylift.text" .sizeLimit }}
    {{- with .medium }}
    medium: {{ . }}
    {{- end }}
{{- end }}
{{- end }}
