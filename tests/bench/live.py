"""What following a run live costs per 1,000 new rows, with a small ledger behind it and with a large one.

Rows come into a real PostgreSQL; the auditor's own function reads what is new and adds it up. Processor time of this
process, and the time until it is done, which has the database's work in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

from racelab_operator.platforms.local.postgresql import PostgreSQL

#: How many entries the ledger holds when the new ones come.
LEDGERS: Final = (10_000, 1_000_000)

FIGURES: Final = {
    "processor": "audit per 1,000 new rows, processor",
    "clock": "audit per 1,000 new rows, clock",
    "scrape": "Prometheus' scrape",
    "page": "the run's page",
}


@dataclass(frozen=True)
class Live:
    """Milliseconds by the ledger's size.

    Per 1,000 new rows, of this process's processor time and of the clock; per answer to Prometheus, and per page.
    """

    processor: dict[int, float]
    clock: dict[int, float]
    scrape: dict[int, float]
    page: dict[int, float]
    load_per_second: float


def measure() -> Live:
    """Fill a ledger, and measure at each size on the way."""
    with tempfile.TemporaryDirectory(prefix="rl-live-") as home:
        sockets = Path(home) / "s"
        sockets.mkdir()
        with PostgreSQL(Path(home) / "data", sockets, max_connections=50):
            environment = os.environ | {
                "DATABASE_URL": f"postgresql://racelab@/racelab?host={sockets}&port=5432",
                "DJANGO_SETTINGS_MODULE": "racelab_bank.settings",
                "RACELAB_TOKEN": "bench",
                "RACELAB_ROLE": "auditor",
            }
            command = [sys.executable, "-m", "bench.following", *map(str, LEDGERS)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = json.loads(done.stdout)
    by_size = {name: {int(size): one for size, one in found[name].items()} for name in FIGURES}
    return Live(**by_size, load_per_second=found["load_per_second"])


def table(live: Live) -> Table:
    """Return what was measured."""
    small, large = LEDGERS
    told = Table(title="Following a run: milliseconds")
    for heading in ("", "10 k entries in the ledger", "1 M", "ratio"):
        told.add_column(heading, justify="right")
    for name, what in FIGURES.items():
        found = getattr(live, name)
        told.add_row(what, f"{found[small]:.2f}", f"{found[large]:.2f}", f"{found[large] / found[small]:.2f}")
    told.caption = (
        f"loading all of it for the final audit: {live.load_per_second:,.0f} entries with installs per second"
    )
    return told
