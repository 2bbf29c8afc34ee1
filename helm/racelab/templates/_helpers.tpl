{{/* The name that every object's name begins with: 40 characters, so that the names of Pods fit in a host name. */}}
{{- define "racelab.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | replace "." "-" | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* What a Pod is selected by. Arguments: the root and a component. */}}
{{- define "racelab.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: racelab
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* The labels of an object that does not change with the chart's version. Arguments: the root and a component. */}}
{{- define "racelab.stableLabels" -}}
{{ include "racelab.selector" . }}
app.kubernetes.io/part-of: racelab
{{- end }}

{{/* All labels of an object. Arguments: the root and a component. */}}
{{- define "racelab.labels" -}}
{{- $root := index . 0 -}}
{{ include "racelab.stableLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The name and labels of an object. Arguments: the root, a component, and the name's suffix if it is another. */}}
{{- define "racelab.metadata" -}}
{{- $root := index . 0 -}}
{{- $suffix := index . 1 -}}
{{- if gt (len .) 2 }}{{ $suffix = index . 2 }}{{ end -}}
name: {{ include "racelab.fullname" $root }}-{{ $suffix }}
namespace: {{ $root.Release.Namespace }}
labels: {{- include "racelab.labels" . | nindent 2 }}
{{- end }}

{{- define "racelab.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* Which Secret holds what: the chart's own, or the one that the values name. */}}
{{- define "racelab.tokenSecret" -}}
{{ default (printf "%s-token" (include "racelab.fullname" .)) .Values.auth.existingSecret }}
{{- end }}

{{- define "racelab.tlsSecret" -}}
{{ default (printf "%s-edge-tls" (include "racelab.fullname" .)) .Values.edge.tls.existingSecret }}
{{- end }}

{{/* Environment variables of the bank and the auditor. */}}
{{- define "racelab.databaseEnvironment" -}}
{{- $own := printf "%s-postgresql" (include "racelab.fullname" .) -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.postgresql.enabled | ternary $own .Values.externalDatabase.existingSecret }}
      key: {{ .Values.postgresql.enabled | ternary "url" .Values.externalDatabase.existingSecretKey }}
- name: RACELAB_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ include "racelab.tokenSecret" . }}, key: secret-key}}
{{- end }}

{{- define "racelab.tokenEnvironment" -}}
- name: RACELAB_TOKEN
  valueFrom: {secretKeyRef: {name: {{ include "racelab.tokenSecret" . }}, key: token}}
{{- end }}

{{/* A value that is made once and kept over upgrades. Arguments: the Secret's data that is there, key, length. */}}
{{- define "racelab.kept" -}}
{{- $found := index . 0 -}}
{{- if hasKey $found (index . 1) }}{{ index $found (index . 1) }}{{ else }}{{ randAlphaNum (index . 2) | b64enc }}{{ end }}
{{- end }}
