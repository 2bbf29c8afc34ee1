{{/* The alerts of this release, as a Prometheus rule file. */}}
{{- define "racelab.alerts" -}}
{{- $root := . -}}
{{- $groups := list -}}
{{- range $group := (tpl (.Files.Get "files/alerts.yaml") . | fromYaml).groups -}}
{{- if or $root.Values.operator.enabled (ne $group.name "racelab.operator") -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- if or $root.Values.monitoring.alerts.drift.enabled (ne $rule.alert "RacelabDrift") -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- $groups = append $groups (dict "name" $group.name "rules" $rules) -}}
{{- end -}}
{{- end -}}
{{- dict "groups" $groups | toYaml -}}
{{- end }}

{{/* The configuration of the bundled Prometheus. Its series have the labels that a ServiceMonitor would give them. */}}
{{- define "racelab.prometheusConfiguration" -}}
{{- $root := . -}}
{{- $name := include "racelab.fullname" . -}}
{{- $namespace := .Release.Namespace -}}
global:
  scrape_interval: {{ .Values.monitoring.bundled.prometheus.scrapeInterval }}
  scrape_timeout: {{ .Values.monitoring.bundled.prometheus.scrapeInterval }}
  evaluation_interval: {{ .Values.monitoring.bundled.prometheus.scrapeInterval }}
rule_files: [/etc/racelab/prometheus/alerts.yaml]
scrape_configs:
  # The headless Service's addresses are the replicas that are ready.
  - job_name: bank
    dns_sd_configs:
      - names: [{{ $name }}-bank-headless.{{ $namespace }}.svc]
        type: A
        port: 9100
        refresh_interval: 2s
    relabel_configs:
      - {target_label: namespace, replacement: {{ $namespace }}}
      - {target_label: service, replacement: {{ $name }}-bank}
  {{- $ports := dict "auditor" 9000 }}
  {{- if .Values.operator.enabled }}{{ $_ := set $ports "operator" 8080 }}{{ end }}
  {{- range $component, $port := $ports }}
  - job_name: {{ $component }}
    static_configs:
      - targets: ["{{ $name }}-{{ $component }}:{{ $port }}"]
        labels: {namespace: {{ $namespace }}, service: {{ $name }}-{{ $component }}}
  {{- end }}
{{- end }}

{{/* The dashboards, as data of a ConfigMap. */}}
{{- define "racelab.dashboards" -}}
{{- range $path, $content := .Files.Glob "files/dashboards/*.json" }}
{{ base $path }}: |
  {{- $content | toString | nindent 2 }}
{{- end }}
{{- end }}
