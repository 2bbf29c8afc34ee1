"""The alerts, once for every place they are evaluated in: a chart's release, and a lab on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

RUNBOOK: Final = "docs/monitoring.md"
AUDIT_LAG_SECONDS: Final = 30
STUCK_SECONDS: Final = 600
"""Every stage but the load has a deadline of three minutes and some; the operator passes none of them on its own."""
STUCK_LOAD_SECONDS: Final = 4500
"""A load may send for an hour, and has three minutes and some to end."""
WAITING_STAGES: Final = "Queued|Suspended|TargetMissing|load"
"""These wait for something that may take any time, or, the load, for longer."""


@dataclass(frozen=True)
class Place:
    """Where alerts are evaluated: how its series are chosen, and how one looks at its programs' words.

    `auditor`, `operator`: label matchers; an empty `operator` means that there is none. `drift_experiments`: a regular
    expression of the experiments whose drift is told; `drift_severity`: as what.
    """

    auditor: str
    operator: str
    auditor_words: str
    operator_words: str
    give_back: str
    put_back: str
    drift_experiments: str
    drift_severity: str


def release_place(namespace: str, name: str, *, drift_experiments: str = ".*", drift_severity: str = "info") -> Place:
    """Return the place of a release of the chart, whose objects' names begin with `name`."""

    def matchers(component: str) -> str:
        return f'namespace="{namespace}",service="{name}-{component}"'

    def words(component: str) -> str:
        return f"kubectl logs -n {namespace} deployment/{name}-{component}"

    return Place(
        auditor=matchers("auditor"),
        operator=matchers("operator"),
        auditor_words=words("auditor"),
        operator_words=words("operator"),
        give_back=f"kubectl scale -n {namespace} deployment/{name}-bank --replicas=N",
        put_back=f"The Deployment {name}-bank is not there: helm upgrade --install puts it back",
        drift_experiments=drift_experiments,
        drift_severity=drift_severity,
    )


CHART: Final = release_place(
    "{{ .Release.Namespace }}",
    '{{ include "racelab.fullname" . }}',
    drift_experiments="{{ .Values.monitoring.alerts.drift.experiments }}",
    drift_severity="{{ .Values.monitoring.alerts.drift.severity }}",
)
LOCAL: Final = Place(
    auditor='job="auditor"',
    operator="",
    auditor_words="its words are in logs/auditor.log of the lab's home",
    operator_words="",
    give_back="",
    put_back="",
    drift_experiments=".*",
    drift_severity="info",
)

RUN: Final = "{{ $labels.experiment }} {{ $labels.step }}"
CELL: Final = "{{ $labels.strategy }} at {{ $labels.isolation }}"


def rules(place: Place) -> dict[str, Any]:
    """Return the rule file of a place."""
    groups = [{"name": "racelab.ledger", "rules": _ledger(place)}]
    if place.operator:
        groups.append({"name": "racelab.operator", "rules": _operator(place)})
    return {"groups": groups}


def chart_rules() -> str:
    """Return helm/racelab/files/alerts.yaml, a template: what Prometheus is to fill in is quoted for Helm."""
    quoted = re.sub(r"\{\{ (?=\$)([^}]*)\}\}", r"{{ `{{ \1}}` }}", _text(rules(CHART)))
    return (
        "# Made by `make generate` (tests/dashboards/alerts.py); do not edit. A template of a Prometheus rule file.\n"
        + quoted
    )


def local_rules() -> str:
    """Return the rule file of `racelab up --prometheus`."""
    return "# Made by `make generate` (tests/dashboards/alerts.py); do not edit.\n" + _text(rules(LOCAL))


def _text(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=10_000, allow_unicode=True)


def _alert(
    name: str, expr: str, *, summary: str, description: str, severity: str = "warning", lasting: str = ""
) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expr,
        **({"for": lasting} if lasting else {}),
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "description": description, "runbook": f"{RUNBOOK}#{name.lower()}"},
    }


def _down(who: str, matchers: str, consequence: str, words: str) -> dict[str, Any]:
    return _alert(
        f"Racelab{who.capitalize()}Down",
        f"up{{{matchers}}} == 0 or absent(up{{{matchers}}})",
        lasting="2m",
        summary=f"The {who} of racelab does not answer",
        description=f"{consequence}: {words}",
    )


def _ledger(place: Place) -> list[dict[str, Any]]:
    """Return the alerts on what the auditor shows."""
    chosen = f'{{{place.auditor},experiment=~"{place.drift_experiments}"}}'
    torn = f'{{{place.auditor},kind="torn_write"}}'
    return [
        _alert(
            "RacelabDrift",
            f"racelab_absolute_drift_cents{chosen} / 100 > 0",
            severity=place.drift_severity,
            summary=f"Balances have drifted from the ledger in {RUN}",
            description=f'{CELL} is off by {{{{ $value | printf "%.2f" }}}} in {{{{ $labels.scenario }}}}. Where the '
            "strategy is racy on purpose, nothing is to be done; where it is claimed to be safe, `racelab explain` "
            "tells who was lost, and to whom",
        ),
        _alert(
            "RacelabTornWrite",
            f"racelab_anomalies_total{torn} > 0",
            summary=f"The ledger of {RUN} is torn",
            description=f"{CELL} has left {{{{ $value }}}} installs without their entry, or entries without their "
            "install. What is proved of this run does not hold: look at the transaction that the strategy writes in",
        ),
        _alert(
            "RacelabAuditLagging",
            f"racelab_audit_lag_seconds{{{place.auditor}}} > {AUDIT_LAG_SECONDS}",
            lasting="1m",
            summary=f"The audit of {RUN} is behind the ledger",
            description="What is shown is {{ $value | humanizeDuration }} old. The auditor lacks processor time, or "
            f"the database is slow: {place.auditor_words}",
        ),
        _down("auditor", place.auditor, "Experiments wait for it, and nobody counts drift", place.auditor_words),
    ]


def _operator(place: Place) -> list[dict[str, Any]]:
    """Return the alerts on what the operator shows."""
    stage = "racelab_operator_experiment_stage_timestamp_seconds"
    errors = f"racelab_operator_reconcile_errors_total{{{place.operator}}}"
    missing = f'{{{place.operator},phase="TargetMissing"}}'
    stuck = (
        f'time() - {stage}{{{place.operator},stage!~"{WAITING_STAGES}"}} > {STUCK_SECONDS} '
        f'or time() - {stage}{{{place.operator},stage="load"}} > {STUCK_LOAD_SECONDS}'
    )
    return [
        _down("operator", place.operator, "RaceExperiments stand still", place.operator_words),
        _alert(
            "RacelabReconcileErrors",
            f"sum by (namespace, reason) (increase({errors}[10m])) > 5",
            lasting="5m",
            summary="The operator of racelab keeps failing",
            description="{{ $value | humanize }} errors ({{ $labels.reason }}) in ten minutes: " + place.operator_words,
        ),
        _alert(
            "RacelabTargetMissing",
            f"racelab_operator_experiments{missing} > 0",
            lasting="2m",
            summary="An experiment of racelab has no bank to scale",
            description=place.put_back,
        ),
        _alert(
            "RacelabReplicasNotRestored",
            f"racelab_operator_replicas_not_restored{{{place.operator}}} > 0",
            lasting="5m",
            summary="{{ $labels.experiment }} has not given the bank its replicas back",
            description="`kubectl get race {{ $labels.experiment }} -o yaml` tells how many there were "
            f"(status.originalReplicas) and what is in the way (condition Restored). By hand: {place.give_back}",
        ),
        _alert(
            "RacelabExperimentStuck",
            stuck,
            summary="{{ $labels.experiment }} is stuck in {{ $labels.stage }}",
            description="For {{ $value | humanizeDuration }}, longer than any deadline of that stage. `kubectl "
            f"describe race {{{{ $labels.experiment }}}}` tells what it waits for; {place.operator_words} tells why",
        ),
    ]
