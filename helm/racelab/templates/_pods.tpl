{{/* What all Pods have in common. Arguments: the root, the user id, and true where a token of Kubernetes is needed. */}}
{{- define "racelab.pod" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
automountServiceAccountToken: {{ gt (len .) 2 }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ index . 1 }}
  runAsGroup: {{ index . 1 }}
  fsGroup: {{ index . 1 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* The labels and annotations of a Pod. Arguments: the root, the component, and its own annotations. */}}
{{- define "racelab.podMetadata" -}}
{{- $root := index . 0 -}}
labels: {{- include "racelab.stableLabels" . | nindent 2 }}
{{- $own := dict }}
{{- if gt (len .) 2 }}{{ $own = index . 2 }}{{ end }}
{{- with merge $own $root.Values.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "racelab.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The authority's public certificate, as a source of a projected volume. Arguments: the root and the path. */}}
{{- define "racelab.authority" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.edge.tls.existingSecret -}}
secret: {name: {{ $root.Values.edge.tls.existingSecret }}, items: [{key: ca.crt, path: {{ index . 1 }}}]}
{{- else -}}
configMap: {name: {{ include "racelab.fullname" $root }}-ca, items: [{key: ca.crt, path: {{ index . 1 }}}]}
{{- end }}
{{- end }}
