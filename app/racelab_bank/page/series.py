"""The curves of a run for its page's charts: columns of integers, as JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from racelab_bank.auditor.sampling import Sample


def of_samples(samples: Sequence[Sample]) -> str:
    """Return the curves of a run that is going on; times are Unix time in milliseconds."""
    return _columns(
        {
            "at_milliseconds": one.at_microseconds // 1_000,
            "ledger_total_cents": one.ledger_total_cents,
            "balance_cents": one.balance_cents,
            "absolute_drift_cents": one.absolute_drift_cents,
            "stale_installs": one.stale_installs,
        }
        for one in samples
    )


def of_timeline(timeline: Sequence[Mapping[str, Any]]) -> str:
    """Return the curves of a run that has ended; times are milliseconds since its first write."""
    return _columns(timeline)


def _columns(points: Iterable[Mapping[str, Any]]) -> str:
    names = ("at_milliseconds", "ledger_total_cents", "balance_cents", "absolute_drift_cents", "stale_installs")
    columns: dict[str, list[int]] = {name: [] for name in names}
    for point in points:
        for name in names:
            columns[name].append(point[name])
    return json.dumps(columns, separators=(",", ":"))
