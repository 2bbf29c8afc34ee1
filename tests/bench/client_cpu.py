"""What a request costs the client, and how closely a batch of 32 arrives at the handlers.

`python -m tests.bench.client_cpu` prints it. All clients send the same small POST through one real Caddy, 32 in flight;
processor time is user plus system time of the client's process, of a long run less a short one, so that starting up is
not counted. racelab-load writes its history all the while.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from .caddy import free_port, running_caddy

if TYPE_CHECKING:
    from collections.abc import Sequence

# Requests of the short and of the long run; httpx takes ten times as long as the others for each.
REQUESTS = (2_000, 20_000)
SLOW_REQUESTS = (500, 3_000)
# The median of so many long runs, each less the median short one.
REPEATS = 3
IN_FLIGHT = 32
BURSTS = 60
# The first bursts open the edge's connections to the handler.
WARMING_BURSTS = 10
TARGET_CPU_MICROSECONDS = 110
TARGET_SPREAD_MICROSECONDS = 200
BODY = "account=1&amount=100&operation=1"

RESPONDING = """
https://localhost:%(port)d {
	bind 127.0.0.1
	header Racelab-Replica bank-1
	respond `{"outcome": "applied", "entry": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "balance_after_cents": 200}`
}
"""
PROXYING = """
https://localhost:%(port)d {
	bind 127.0.0.1
	@get method GET
	respond @get "warm"
	reverse_proxy 127.0.0.1:%(handler)d {
		request_buffers 64KiB
		transport http {
			keepalive_idle_conns_per_host 64
		}
	}
}
"""


def measure() -> dict[str, Any]:
    """Measure everything: microseconds of processor time per request, and microseconds from first to last arrival.

    Gives `cpu_microseconds_per_request` by client (None where a client is not installed), `ratio_to_racelab_load` by
    client, and `arrival_spread_microseconds` by arrival, each the median over at least 30 bursts.
    """
    cpu = _measure_cpu()
    ours = cpu["racelab-load"]
    return {
        "in_flight": IN_FLIGHT,
        "cpu_microseconds_per_request": cpu,
        "ratio_to_racelab_load": {
            name: round(value / ours, 2) if value is not None and ours else None for name, value in cpu.items()
        },
        "arrival_spread_microseconds": {arrival: _measure_spread(arrival) for arrival in ("burst", "single-packet")},
    }


def table(measured: dict[str, Any]) -> Table:
    """Show what was measured."""
    shown = Table(title=f"The client: {measured['in_flight']} in flight, one connection, through one Caddy")
    shown.add_column("measured")
    shown.add_column("µs", justify="right")
    shown.add_column("ratio", justify="right")
    shown.add_column("target, µs", justify="right")
    for name, value in measured["cpu_microseconds_per_request"].items():
        ratio = measured["ratio_to_racelab_load"][name]
        shown.add_row(
            f"CPU per request: {name}",
            "not installed" if value is None else f"{value:.1f}",
            "" if ratio is None else f"{ratio:.2f}",
            f"≤ {TARGET_CPU_MICROSECONDS}" if name == "racelab-load" else "",
        )
    for arrival, value in measured["arrival_spread_microseconds"].items():
        shown.add_row(
            f"first to last of {IN_FLIGHT} at the handler: {arrival}",
            f"{value:.0f}",
            "",
            f"≤ {TARGET_SPREAD_MICROSECONDS}" if arrival == "single-packet" else "",
        )
    return shown


def _measure_cpu() -> dict[str, float | None]:
    with tempfile.TemporaryDirectory(prefix="racelab-bench-") as folder:
        port = free_port()
        with running_caddy(Path(folder), port, RESPONDING % {"port": port}) as authority:
            url = f"https://localhost:{port}/bank/deposit/atomic_only/"
            return {
                "racelab-load": _per_request(_ours(url, authority, "closed")),
                "jh2, own protocol": _per_request(_reference("jh2", url, authority)),
                "h2, own protocol": _per_request(_reference("h2", url, authority)),
                "httpx": _per_request(_reference("httpx", url, authority), *SLOW_REQUESTS),
                "h2load": _h2load(url, Path(folder)),
            }


def _measure_spread(arrival: str) -> float:
    script = Path(__file__).with_name("stamping_handler.py")
    with (
        tempfile.TemporaryDirectory(prefix="racelab-bench-") as folder,
        subprocess.Popen([sys.executable, script, str(IN_FLIGHT)], stdout=subprocess.PIPE, text=True) as handler,
    ):
        try:
            assert handler.stdout is not None
            port = free_port()
            sites = PROXYING % {"port": port, "handler": int(handler.stdout.readline())}
            with running_caddy(Path(folder), port, sites) as authority:
                url = f"https://localhost:{port}/bank/deposit/atomic_only/"
                _run([*_ours(url, authority, arrival), str(BURSTS * IN_FLIGHT)])
        finally:
            handler.terminate()
        spreads = [int(line) for line in handler.stdout]
    if len(spreads) != BURSTS:
        raise RuntimeError(f"{len(spreads)} of {BURSTS} bursts were seen at the handler")
    return float(statistics.median(spreads[WARMING_BURSTS:]))


def _ours(url: str, authority: Path, arrival: str) -> list[str]:
    flags = ["--arrival", arrival, "--concurrency", str(IN_FLIGHT), "--ca-file", str(authority)]
    return [sys.executable, "-m", "racelab_loadgen", "run", "--url", url, *flags, "--requests"]


def _reference(name: str, url: str, authority: Path) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("reference_clients.py")), name, url, str(authority)]


def _h2load(url: str, folder: Path) -> float | None:
    program = shutil.which("h2load")
    if program is None:
        return None
    body = folder / "body"
    body.write_text(BODY)
    form = "content-type: application/x-www-form-urlencoded"
    return _per_request([program, "-c", "1", "-m", str(IN_FLIGHT), "-d", str(body), "-H", form, url, "-n"])


def _per_request(command: Sequence[str], few: int = REQUESTS[0], many: int = REQUESTS[1]) -> float:
    """Run a command, completed by a number of requests; gives microseconds per request."""
    short = statistics.median(_run([*command, str(few)]) for _ in range(REPEATS))
    long = statistics.median(_run([*command, str(many)]) for _ in range(REPEATS))
    return round((long - short) / (many - few) * 1e6, 1)


def _run(command: Sequence[str]) -> float:
    """Run a command; gives the seconds of processor time that it took, its own alone."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    Console().print(table(measure()))
