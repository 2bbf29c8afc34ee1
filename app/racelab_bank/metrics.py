"""The bank's Prometheus metrics, summed over its workers (multiprocess mode)."""

import threading
import time
from collections import Counter as Count
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram

# Consumed by the dashboards' request rate and error panels. `info`: nobody was told what became of it.
REQUESTS = Counter(
    "racelab_bank_requests", "Operations begun, by what became of them.", ["scenario", "strategy", "outcome"]
)

# Consumed by the latency panel, by strategy.
DURATION = Histogram(
    "racelab_bank_request_duration_seconds",
    "Time from the whole body read to the answer, window included.",
    ["scenario", "strategy", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

# Consumed by the cost comparison of retrying strategies.
RETRIES = Counter("racelab_bank_retries", "Attempts that a strategy repeated.", ["scenario", "strategy"])

# Consumed by the window panel: how many operations are between their read and their write at this moment.
WINDOW = Gauge(
    "racelab_window_requests",
    "Operations between their read and their write.",
    ["scenario", "strategy"],
    multiprocess_mode="livesum",
)

# Consumed by the window panel, since a scrape seldom meets the moment: without two at once nothing can be lost.
WINDOW_PEAK = Gauge(
    "racelab_window_requests_peak",
    "The most operations that were between read and write at once, since the replica started.",
    ["scenario", "strategy"],
    multiprocess_mode="max",
)


class Occupancy(Protocol):
    """Counts who is between read and write."""

    def enter(self, scenario: str, strategy: str) -> int:
        """Note that one enters; return how many there are now."""

    def leave(self, scenario: str, strategy: str) -> None:
        """Note that one has left."""


class LocalOccupancy:
    """Counts the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: Count[tuple[str, str]] = Count()

    def enter(self, scenario: str, strategy: str) -> int:
        """Note that one enters; return how many there are now."""
        with self._lock:
            self._inside[scenario, strategy] += 1
            return self._inside[scenario, strategy]

    def leave(self, scenario: str, strategy: str) -> None:
        """Note that one has left."""
        with self._lock:
            self._inside[scenario, strategy] -= 1


_occupancy: Occupancy = LocalOccupancy()
_peaks: dict[tuple[str, str], int] = {}


def count_windows_with(occupancy: Occupancy) -> None:
    """Have a replica's windows counted over all of its processes."""
    global _occupancy  # noqa: PLW0603 - set once, before the first request
    _occupancy = occupancy


@dataclass(slots=True)
class Observed:
    """One request being observed."""

    outcome: str = "failed"


@contextmanager
def observed(scenario: str, strategy: str) -> Iterator[Observed]:
    """Count and time one request; the caller sets the outcome."""
    request = Observed()
    begin = time.perf_counter()
    try:
        yield request
    except SystemExit:  # gunicorn ends a worker whose request takes too long
        request.outcome = "info"
        raise
    finally:
        DURATION.labels(scenario, strategy, request.outcome).observe(time.perf_counter() - begin)
        REQUESTS.labels(scenario, strategy, request.outcome).inc()


def window(wait: Callable[[], None], scenario: str, strategy: str) -> Callable[[], None]:
    """Count an operation as inside the window while it waits."""

    def waiting() -> None:
        inside = WINDOW.labels(scenario, strategy)
        inside.inc()
        now = _occupancy.enter(scenario, strategy)
        if now > _peaks.get((scenario, strategy), 0):
            _peaks[scenario, strategy] = now
            WINDOW_PEAK.labels(scenario, strategy).set(now)
        try:
            wait()
        finally:
            _occupancy.leave(scenario, strategy)
            inside.dec()

    return waiting
