"""What the proof costs: from a history in memory, from a file, from PostgreSQL; and what following a run live costs.

Each figure is the processor time of one process of its own, on one core, and the best of some rounds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from rich.table import Table

#: Entries of the two sizes that are compared: a proof must not cost more per entry when there are more of them.
SIZES: Final = (1_000_000, 5_000_000)
#: Shares of stale writers: none, as locked writers leave it, and every third.
STALE: Final = (0.0, 0.3)


@dataclass(frozen=True)
class Proof:
    """Entries proved per second and peak memory in bytes, by share of stale writers and number of entries."""

    per_second: dict[tuple[float, int], float]
    peak_bytes: dict[tuple[float, int], int]


def measure() -> Proof:
    """Measure each size in a process of its own."""
    per_second, peak = {}, {}
    for stale in STALE:
        for size in SIZES:
            found = _once(size, stale)
            per_second[stale, size], peak[stale, size] = found["per_second"], int(found["peak_bytes"])
    return Proof(per_second, peak)


def _once(size: int, stale: float) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.proving", str(size), str(stale)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def table(proof: Proof) -> Table:
    """Return what was measured."""
    small, large = SIZES
    told = Table(title="Full proof: all detectors, graph, certificate and replay, on one core")
    for heading in ("stale writers", "1 M entries", "5 M entries", "ratio", "peak at 5 M"):
        told.add_column(heading, justify="right")
    for stale in STALE:
        one, five = proof.per_second[stale, small], proof.per_second[stale, large]
        peak = proof.peak_bytes[stale, large]
        told.add_row(
            f"{stale:.0%}", f"{one:,.0f} /s", f"{five:,.0f} /s", f"{five / one:.2f}",
            f"{peak / 2**30:.1f} GiB, {peak / large:.0f} bytes per entry",
        )  # fmt: skip
    return told
