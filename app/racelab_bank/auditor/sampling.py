"""What live figures were, moment by moment: a bounded memory that grows coarser the longer a run goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: How many samples are kept; reaching it, every other one of the older half goes.
KEPT: Final = 600

#: Two samples are at least so far apart: a later one replaces the one before it otherwise.
APART_MICROSECONDS: Final = 400_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A run's sums at one moment, Unix time."""

    at_microseconds: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    absolute_drift_cents: int
    entries: int
    lost: int
    stale_installs: int


def added(samples: Sequence[Sample], one: Sample) -> tuple[Sample, ...]:
    """Return the samples with one more, which is the newest."""
    if len(samples) > 1 and one.at_microseconds - samples[-2].at_microseconds < APART_MICROSECONDS:
        samples = samples[:-1]
    if len(samples) >= KEPT:
        half = len(samples) // 2
        samples = (*samples[:half:2], *samples[half:])
    return (*samples, one)
