"""What makes each alert fire, and what leaves it silent: series over time, for promtool's unit tests.

`{A}` in a series stands for what tells the auditor's series, `{O}` for what tells the operator's. Times count from the
Unix epoch, as promtool does. A case without `labels` is one in which the alert stays silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Case:
    """At `at`, with these series, the alert fires with these labels beside its place's.

    `value` as it is printed; `place_labels`: which of the place's the expression keeps.
    """

    alert: str
    at: str
    series: dict[str, str]
    labels: dict[str, str] | None = None
    value: str = ""
    place_labels: tuple[str, ...] = ("namespace", "service", "job")


RUN: Final = {
    "experiment": "quickstart",
    "step": "3-replicas-atomic_only",
    "scenario": "deposit",
    "strategy": "atomic_only",
    "isolation": "read-committed",
    "replicas": "3",
}
L: Final = ",".join(f'{name}="{value}"' for name, value in RUN.items())
STAGE: Final = 'racelab_operator_experiment_stage_timestamp_seconds{{{{O}},experiment="e",stage="{}"}}'.format
ERRORS: Final = 'racelab_operator_reconcile_errors_total{{O},reason="ClusterError"}'
NOT_RESTORED: Final = 'racelab_operator_replicas_not_restored{{O},experiment="e"}'
MISSING: Final = 'racelab_operator_experiments{{O},phase="TargetMissing"}'
DRIFT: Final = "racelab_absolute_drift_cents{{A}," + L + "}"
LAG: Final = "racelab_audit_lag_seconds{{A}," + L + "}"
ANOMALIES: Final = "racelab_anomalies_total{{A}," + L + ',kind="%s"}'

CASES: Final = (
    Case("RacelabDrift", "1m", {DRIFT: "0 0 18600"}),
    Case("RacelabDrift", "2m", {DRIFT: "0 0 18600"}, RUN, "186.00"),
    Case("RacelabDrift", "2m", {DRIFT: "0 0 1"}, RUN, "0.01"),
    Case("RacelabDrift", "3m", {DRIFT: "0 0 18600 0"}),
    Case("RacelabTornWrite", "2m", {ANOMALIES % "torn_write": "0 0 2"}, {**RUN, "kind": "torn_write"}, "2"),
    Case("RacelabTornWrite", "2m", {ANOMALIES % "torn_write": "0x5", ANOMALIES % "lost_update": "7x5"}),
    Case("RacelabAuditLagging", "3m", {LAG: "0 45 45 45"}, RUN, "45s"),
    Case("RacelabAuditLagging", "1m30s", {LAG: "0 45 45 45"}),  # not for a minute yet
    Case("RacelabAuditLagging", "5m", {LAG: "30x10"}),
    Case("RacelabAuditorDown", "5m", {"up{{A}}": "1 1 0 0 0 0"}, {}),
    Case("RacelabAuditorDown", "3m", {"up{{A}}": "1 1 0 0 0 0"}),  # not for two minutes yet
    Case("RacelabAuditorDown", "5m", {"up{{A}}": "1x10"}),
    Case("RacelabAuditorDown", "20m", {"up{{A}}": "1 1 _ _"}, {}),  # nobody scrapes it any more
    Case("RacelabOperatorDown", "5m", {"up{{O}}": "1 1 0 0 0 0"}, {}),
    Case("RacelabOperatorDown", "5m", {"up{{O}}": "1x10"}),
    Case("RacelabOperatorDown", "20m", {"up{{O}}": "1 1 _ _"}, {}),
    Case(
        "RacelabReconcileErrors",
        "20m",
        {ERRORS: "0+1x20"},
        {"reason": "ClusterError"},
        "10",
        place_labels=("namespace",),
    ),
    Case("RacelabReconcileErrors", "20m", {ERRORS: "0+0.4x20"}),
    Case("RacelabReconcileErrors", "1h", {ERRORS: "0+1x20 20x50"}),  # they have stopped
    Case("RacelabTargetMissing", "5m", {MISSING: "0 1x10"}, {"phase": "TargetMissing"}),
    Case("RacelabTargetMissing", "2m", {MISSING: "0 1x10"}),
    Case("RacelabTargetMissing", "5m", {MISSING: "0x10", MISSING.replace("TargetMissing", "load"): "1x10"}),
    Case("RacelabReplicasNotRestored", "8m", {NOT_RESTORED: "0 1x10"}, {"experiment": "e"}),
    Case("RacelabReplicasNotRestored", "5m", {NOT_RESTORED: "0 1x10"}),
    Case("RacelabReplicasNotRestored", "8m", {NOT_RESTORED: "0x10"}),
    Case("RacelabExperimentStuck", "11m", {STAGE("audit"): "0x20"}, {"experiment": "e", "stage": "audit"}, "11m 0s"),
    Case("RacelabExperimentStuck", "10m", {STAGE("audit"): "0x20"}),
    Case("RacelabExperimentStuck", "74m", {STAGE("load"): "0x90"}),
    Case("RacelabExperimentStuck", "76m", {STAGE("load"): "0x90"}, {"experiment": "e", "stage": "load"}, "1h 16m 0s"),
    Case("RacelabExperimentStuck", "80m", {STAGE(hold): "0x90" for hold in ("Queued", "Suspended", "TargetMissing")}),
)
