"""What fifty open live pages cost the gate and the audit: their answers' times without and with them, in one run."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles
from typing import TYPE_CHECKING, Final

from rich.table import Table

from bench.lab import Bench, lab

if TYPE_CHECKING:
    from collections.abc import Callable

BROWSERS: Final = 50
CALLS: Final = 300
ROUNDS: Final = 3


@dataclass(frozen=True)
class Streams:
    """Milliseconds of every call, by what was asked, without and with open streams; how many events these brought."""

    alone: dict[str, list[float]]
    watched: dict[str, list[float]]
    events_per_second: float


def measure() -> Streams:
    """Take turns: without streams, with them; a load runs all the while. The first turn only warms up."""
    found = Streams({"gate": [], "audit": []}, {"gate": [], "audit": []}, 0.0)
    events = seconds = 0.0
    with lab(1, 2) as bench:
        for turn in range(ROUNDS + 1):
            if turn == 1:
                found, events, seconds = Streams({"gate": [], "audit": []}, {"gate": [], "audit": []}, 0.0), 0.0, 0.0
            key, accounts = bench.open_run("atomic_only", 10)
            calls: dict[str, Callable[[], None]] = {
                "gate": partial(bench.ask_gate, key),
                "audit": partial(bench.live, key),
            }
            _time(bench, accounts[0], calls, found.alone)
            command = [sys.executable, "-m", "bench.streaming", f"{bench.auditor_url}/runs/{key}/events", str(BROWSERS)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as browsers:
                assert browsers.stdout is not None
                assert browsers.stdout.readline() == "reading\n"
                began = time.perf_counter()
                _time(bench, accounts[0], calls, found.watched)
                seconds += time.perf_counter() - began
                told, _ = browsers.communicate()
                events += int(told)
    return Streams(found.alone, found.watched, events / seconds)


def _time(bench: Bench, account: int, calls: dict[str, Callable[[], None]], into: dict[str, list[float]]) -> None:
    load = threading.Thread(target=bench.deposit, args=("atomic_only", account, CALLS))
    load.start()
    for _ in range(CALLS):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            into[name].append((time.perf_counter() - began) * 1000)
    load.join()


def table(streams: Streams) -> Table:
    """Return what was measured."""
    told = Table(title=f"The auditor's answers in milliseconds, with {BROWSERS} open live pages")
    for heading in ("", "no page: p50", "p95", f"{BROWSERS} pages: p50", "p95", "ratio of p50"):
        told.add_column(heading, justify="right")
    for name, alone in streams.alone.items():
        watched = streams.watched[name]
        p50s = median(alone), median(watched)
        p95s = (quantiles(one, n=20)[-1] for one in (alone, watched))
        cells = [f"{value:.2f}" for pair in zip(p50s, p95s, strict=True) for value in pair]
        told.add_row(name, *cells, f"{p50s[1] / p50s[0]:.2f}")
    told.caption = f"the pages got {streams.events_per_second:.0f} events per second"
    return told
