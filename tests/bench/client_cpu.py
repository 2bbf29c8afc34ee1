"""What a request costs the client, and how closely a batch of 32 arrives at the handlers.

`python -m tests.bench.client_cpu` prints it. All clients send the same small POST through one real Caddy, 32 in flight;
processor time is user plus system time of the client's process, of a long run less a short one, so that starting up is
not counted. racelab-load writes its history all the while.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from .caddy import free_port, running_caddy, site_certificate, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

# Requests of the short and of the long run; httpx takes ten times as long as the others for each.
REQUESTS = (2_000, 20_000)
SLOW_REQUESTS = (500, 3_000)
# The median of so many long runs, each less the median short one.
REPEATS = 3
IN_FLIGHT = 32
BURSTS = 60
# The first bursts find the server cold.
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
# Every request is stamped once its body is read, and then waits for an upstream that never comes, so that the work of
# answering one does not delay the next.
STAMPING = """
https://localhost:%(port)d {
	bind 127.0.0.1
	@get method GET
	log {
		output file %(log)s
		format json
	}
	route {
		respond @get "warm"
		vars stamp "{http.request.body}|{time.now}"
		log_append stamp {http.vars.stamp}
		reverse_proxy 127.0.0.1:%(nobody)d {
			health_uri /
			health_interval 100ms
			lb_try_duration 60ms
			lb_try_interval 50ms
		}
	}
}
"""
# Go's monotonic clock, in seconds.
STAMP = re.compile(r"m=\+([0-9.]+)$")
ARRIVALS = ("burst", "single-packet")


def measure() -> dict[str, Any]:
    """Measure everything: microseconds of processor time per request, and microseconds from first to last arrival.

    Gives `cpu_microseconds_per_request` by client and `ratio_to_racelab_load` by client, both None where a client is
    not installed, and `arrival_spread_microseconds` by handler and arrival, each the median over 50 bursts. The handler
    is Caddy's own, and where Go is installed one that does nothing else.
    """
    cpu = _measure_cpu()
    ours = cpu["racelab-load"]
    return {
        "in_flight": IN_FLIGHT,
        "cpu_microseconds_per_request": cpu,
        "ratio_to_racelab_load": {
            name: round(value / ours, 2) if value is not None and ours else None for name, value in cpu.items()
        },
        "arrival_spread_microseconds": _measure_spread(),
    }


def table(measured: dict[str, Any]) -> Table:
    """Show what was measured."""
    shown = Table(title=f"The client: {measured['in_flight']} in flight, one connection")
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
    for handler, spreads in measured["arrival_spread_microseconds"].items():
        for arrival in ARRIVALS:
            shown.add_row(
                f"first to last at {handler}: {arrival}",
                "not installed" if spreads is None else f"{spreads[arrival]:.0f}",
                "",
                f"≤ {TARGET_SPREAD_MICROSECONDS}",
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


def _measure_spread() -> dict[str, dict[str, float] | None]:
    with tempfile.TemporaryDirectory(prefix="racelab-bench-") as name:
        folder, port = Path(name), free_port()
        log = folder / "access.log"
        sites = STAMPING % {"port": port, "log": log, "nobody": free_port()}
        with running_caddy(folder, port, sites) as authority:
            at_caddy = {arrival: _at_caddy(arrival, port, authority, log) for arrival in ARRIVALS}
            go = shutil.which("go")
            at_bare = _at_bare_handler(go, folder, authority) if go is not None else None
    return {"Caddy's handler": at_caddy, "a bare handler (Go)": at_bare}


def _at_caddy(arrival: str, port: int, authority: Path, log: Path) -> float:
    before = log.stat().st_size if log.exists() else 0
    _run([*_ours(f"https://localhost:{port}/stamped", authority, arrival), str(BURSTS * IN_FLIGHT)])
    # Caddy logs a request after it has answered it.
    wait_until(lambda: log.read_bytes()[before:].count(b'"stamp":"acc') == BURSTS * IN_FLIGHT)
    lines = [json.loads(line) for line in log.read_bytes()[before:].splitlines()]
    found = [STAMP.search(line.get("stamp", "")) for line in lines]
    stamps = sorted(float(stamp[1]) * 1e6 for stamp in found if stamp is not None)
    return _median_spread([stamps[at + IN_FLIGHT - 1] - stamps[at] for at in range(0, len(stamps), IN_FLIGHT)])


def _at_bare_handler(go: str, folder: Path, authority: Path) -> dict[str, float]:
    program, certificate = folder / "bare_handler", site_certificate(folder)
    source = Path(__file__).with_name("bare_handler.go")
    subprocess.run([go, "build", "-o", program, source], check=True, env=os.environ | {"GO111MODULE": "off"})
    command = [str(program), str(certificate), str(certificate.with_suffix(".key")), str(IN_FLIGHT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as handler:
        try:
            assert handler.stdout is not None
            url = f"https://localhost:{int(handler.stdout.readline())}/"
            for arrival in ARRIVALS:
                _run([*_ours(url, authority, arrival), str(BURSTS * IN_FLIGHT)])
        finally:
            handler.terminate()
        spreads = [float(line) for line in handler.stdout]
    return {
        arrival: _median_spread(spreads[position * BURSTS : (position + 1) * BURSTS])
        for position, arrival in enumerate(ARRIVALS)
    }


def _median_spread(spreads: list[float]) -> float:
    if len(spreads) != BURSTS:
        raise RuntimeError(f"{len(spreads)} of {BURSTS} bursts were seen at the handler")
    return round(statistics.median(spreads[WARMING_BURSTS:]), 1)


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
