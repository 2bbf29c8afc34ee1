"""Values that the chart refuses, with what the message must say: where, what was given or what is allowed."""

from __future__ import annotations

WRONG_VALUES: dict[str, tuple[str, ...]] = {
    "bank.replicas=0": ("/bank/replicas", "got 0, want 1"),
    "bank.replicas=33": ("/bank/replicas", "got 33, want 32"),
    "bank.workers=many": ("/bank/workers", "got string, want integer"),
    "bank.replica=3": ("/bank", "'replica' not allowed"),
    "colour=red": ("'colour' not allowed",),
    "bank.drainSeconds=600": ("/bank/drainSeconds", "got 600, want 60"),
    "bank.terminationGracePeriodSeconds=30": ("given 30", "allowed from 40"),
    "bank.resources.limits.memory=lots": ("/bank/resources/limits/memory", "'lots'"),
    "edge.waitSeconds=0": ("/edge/waitSeconds", "got 0, want 1"),
    "edge.service.type=Public": ("/edge/service/type", "'ClusterIP', 'NodePort', 'LoadBalancer'"),
    "edge.service.httpsNodePort=443": ("/edge/service/httpsNodePort", "got 443, want 30,000"),
    "image.tag=a b": ("/image/tag", "'a b'"),
    "image.pullPolicy=Sometimes": ("/image/pullPolicy", "'Always', 'IfNotPresent', 'Never'"),
    "fullnameOverride=Bank": ("/fullnameOverride", "'Bank'"),
    "ingress.host=a_b": ("/ingress/host", "'a_b'"),
    "httpRoute.enabled=true": ("/httpRoute/parentRefs", "got 0, want 1"),
    "postgresql.enabled=false": ("/externalDatabase/existingSecret", "got 0, want 1"),
    "postgresql.persistence.size=big": ("/postgresql/persistence/size", "'big'"),
    "operator.enabled=maybe": ("/operator/enabled", "got string, want boolean"),
    "monitoring.serviceMonitor.interval=often": ("/monitoring/serviceMonitor/interval", "'often'"),
    "monitoring.alerts.drift.severity=loud": ("/monitoring/alerts/drift/severity", "'info', 'warning', 'critical'"),
    'monitoring.alerts.drift.experiments=a"b': ("/monitoring/alerts/drift/experiments", "'a\"b'"),
    "monitoring.bundled.prometheus.size=big": ("/monitoring/bundled/prometheus/size", "'big'"),
    "monitoring.bundled.prometheus.retention=long": ("/monitoring/bundled/prometheus/retention", "'long'"),
    "monitoring.bundled.grafana.anonymous=perhaps": (
        "/monitoring/bundled/grafana/anonymous",
        "got string, want boolean",
    ),
    "monitoring.bundled.loki.enabled=true": ("/monitoring/bundled", "'loki' not allowed"),
}
