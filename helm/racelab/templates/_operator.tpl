{{/* What the operator is told: where everything is, and what a load generator's Pod looks like. */}}
{{- define "racelab.operatorSettings" -}}
{{- $name := include "racelab.fullname" . -}}
target: {{ $name }}-bank
podSelector: app.kubernetes.io/instance={{ .Release.Name }},app.kubernetes.io/component=bank
auditorUrl: http://{{ $name }}-auditor:9000
edgeUrl: https://{{ $name }}-edge
caFile: /etc/racelab/ca/ca.crt
loadPod:
  metadata: {{- include "racelab.podMetadata" (list . "load") | nindent 4 }}
  spec:
    {{- include "racelab.pod" (list . 10001) | nindent 4 }}
    restartPolicy: Never
    volumes:
      - {name: tmp, emptyDir: {}}
      - name: ca
        projected: {sources: [{{ include "racelab.authority" (list . "ca.crt") | fromYaml | toJson }}]}
    containers:
      - name: load
        {{- include "racelab.image" . | nindent 8 }}
        env:
          {{- include "racelab.tokenEnvironment" . | nindent 10 }}
        resources: {{- toYaml .Values.load.resources | nindent 10 }}
        securityContext: {{- include "racelab.containerSecurity" . | nindent 10 }}
        terminationMessagePolicy: FallbackToLogsOnError
        volumeMounts:
          - {name: tmp, mountPath: /tmp}
          - {name: ca, mountPath: /etc/racelab/ca, readOnly: true}
{{- end }}
