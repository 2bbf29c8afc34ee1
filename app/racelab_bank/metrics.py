"""The bank's Prometheus metrics, summed over its workers (multiprocess mode)."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

# Consumed by the dashboards' request rate and error panels. `info`: nobody was told what became of it.
REQUESTS = Counter(
    "racelab_bank_requests", "Operations begun, by what became of them.", ["scenario", "strategy", "outcome"]
)

# Consumed by the latency panel, by strategy.
DURATION = Histogram(
    "racelab_bank_request_duration_seconds",
    "Time from the whole body read to the answer, window included.",
    ["scenario", "strategy"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

# Consumed by the cost comparison of retrying strategies.
RETRIES = Counter("racelab_bank_retries", "Attempts that a strategy repeated.", ["scenario", "strategy"])

# Consumed by the window panel: how many operations are between their read and their write at this moment.
WINDOW = Gauge("racelab_window_requests", "Operations between their read and their write.", multiprocess_mode="livesum")


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
        DURATION.labels(scenario, strategy).observe(time.perf_counter() - begin)
        REQUESTS.labels(scenario, strategy, request.outcome).inc()


def window(wait: Callable[[], None]) -> Callable[[], None]:
    """Count an operation as inside the window while it waits."""

    def waiting() -> None:
        with WINDOW.track_inprogress():
            wait()

    return waiting
