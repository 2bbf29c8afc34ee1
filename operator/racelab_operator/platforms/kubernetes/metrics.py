"""The operator's own samples for Prometheus."""

from __future__ import annotations

from collections import Counter as Count
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

STAGES: Final = ("spec", "replicas", "load", "ledger", "audit", "report")
PHASES: Final = (*STAGES, "Queued", "Suspended", "TargetMissing", "Finished")

# Consumed by the operator dashboard's panel of reconcile durations.
RECONCILE_SECONDS: Final = Histogram(
    "racelab_operator_reconcile_seconds",
    "How long the operator took to look at an experiment and to do what was to be done.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
# Consumed by the operator dashboard and the reconcile-errors alert.
RECONCILE_ERRORS: Final = Counter(
    "racelab_operator_reconcile_errors", "Looks at an experiment that ended in an error.", ["reason"]
)
# Consumed by the operator dashboard's panel of phases and the target-missing alert.
EXPERIMENTS: Final = Gauge("racelab_operator_experiments", "Experiments, by the stage that they are in.", ["phase"])
# Consumed by the operator dashboard.
EXPIRED: Final = Counter("racelab_operator_experiments_expired", "Finished experiments deleted after their time.")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an experiment stands; `since_seconds`: Unix time, None for one that has finished."""

    name: str
    stage: str
    since_seconds: float | None
    not_restored: bool


class Standings(Collector):
    """Samples per experiment, as the last look found them: who is gone leaves none behind."""

    def __init__(self) -> None:
        self._last: Sequence[Standing] = ()

    def show(self, standings: Sequence[Standing]) -> None:
        """Show these from now on."""
        self._last = standings

    def collect(self) -> Iterator[Metric]:
        """Give the samples."""
        # Consumed by the experiment-stuck alert and the operator dashboard's panel of stages.
        since = GaugeMetricFamily(
            "racelab_operator_experiment_stage_timestamp_seconds",
            "When an experiment that has not finished came to the stage that it is in, Unix time.",
            labels=("experiment", "stage"),
        )
        # Consumed by the replicas-not-restored alert.
        taken = GaugeMetricFamily(
            "racelab_operator_replicas_not_restored",
            "1 when the bank could not be given its replicas back after an experiment.",
            labels=("experiment",),
        )
        for one in self._last:
            if one.since_seconds is not None:
                since.add_metric((one.name, one.stage), one.since_seconds)
            taken.add_metric((one.name,), int(one.not_restored))
        yield since
        yield taken


STANDINGS: Final = Standings()
REGISTRY.register(STANDINGS)


def count_experiments(phases: Iterable[str]) -> None:
    """Show how many experiments are in each phase, also where there are none."""
    counted = Count(phases)
    for phase in PHASES:
        EXPERIMENTS.labels(phase).set(counted[phase])
