"""The operator's own samples for Prometheus."""

from __future__ import annotations

from collections import Counter as Count
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable

STAGES: Final = ("spec", "replicas", "load", "ledger", "audit", "report")
PHASES: Final = (*STAGES, "Queued", "Suspended", "TargetMissing", "Finished")

RECONCILE_SECONDS: Final = Histogram(
    "racelab_operator_reconcile_seconds",
    "How long the operator took to look at an experiment and to do what was to be done.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
RECONCILE_ERRORS: Final = Counter(
    "racelab_operator_reconcile_errors", "Looks at an experiment that ended in an error.", ["reason"]
)
EXPERIMENTS: Final = Gauge("racelab_operator_experiments", "Experiments, by the stage that they are in.", ["phase"])
EXPIRED: Final = Counter("racelab_operator_experiments_expired", "Finished experiments deleted after their time.")


def count_experiments(phases: Iterable[str]) -> None:
    """Show how many experiments are in each phase, also where there are none."""
    counted = Count(phases)
    for phase in PHASES:
        EXPERIMENTS.labels(phase).set(counted[phase])
