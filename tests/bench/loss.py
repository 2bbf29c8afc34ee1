"""How efficiently clients make a naive bank lose: batches of 2 and 20 deposits, zero window, 20 writers.

Of a batch of N on one account with W writers at most 1 − ⌈N/W⌉/N can be lost. Loss efficiency = lost ÷ that ceiling.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import httpx
from rich.table import Table

from bench.lab import Bench, lab

REPLICAS: Final = 4
WORKERS: Final = 5
BATCHES: Final = {2: 150, 20: 40}
ROUNDS: Final = 3
CLIENTS: Final = ("httpx asyncio.gather", "racelab-load burst", "racelab-load single-packet")


def ceiling(batch: int, writers: int) -> float:
    """Return which share of a batch can be lost at most."""
    return 1 - -(-batch // writers) / batch


async def _gather(bench: Bench, accounts: list[int], batch: int) -> None:
    context = ssl.create_default_context(cafile=str(bench.ca_file))
    url = bench.url("deposit", "atomic_only")
    async with httpx.AsyncClient(http2=True, verify=context, timeout=60, trust_env=False) as client:
        await asyncio.gather(*(client.get(url) for _ in range(batch)))
        for number, account in enumerate(accounts):
            forms = [{"account": account, "amount": 100, "operation": f"{number}-{k}"} for k in range(batch)]
            answers = await asyncio.gather(*(client.post(url, data=form) for form in forms))
            assert all(answer.status_code == 200 for answer in answers)


def _lost(bench: Bench, client: str, batch: int, batches: int) -> float:
    """Return the share of requests that were lost: one account per batch."""
    key, accounts = bench.open_run("atomic_only", batches)
    if client == "httpx asyncio.gather":
        asyncio.run(_gather(bench, accounts, batch))
        report = bench.audit(key, history=False)
    else:
        arrival = client.removeprefix("racelab-load ")
        bench.load(
            "atomic_only", key, "--arrival", arrival, "--target", "batch",
            "--requests", str(batch * batches), "--concurrency", str(batch),
        )  # fmt: skip
        report = bench.audit(key)
    assert report["entries"] == batch * batches
    return float(report["lost"] / report["entries"])


def measure() -> dict[int, dict[str, list[float]]]:
    """Return the loss efficiencies (0 to 1) of every round, by batch size and client; rounds are interleaved."""
    found: dict[int, dict[str, list[float]]] = {batch: {client: [] for client in CLIENTS} for batch in BATCHES}
    with lab(REPLICAS, WORKERS) as bench:
        for _ in range(ROUNDS):
            for batch, batches in BATCHES.items():
                for client in CLIENTS:
                    share = _lost(bench, client, batch, batches)
                    found[batch][client].append(share / ceiling(batch, REPLICAS * WORKERS))
    return found


def table(found: dict[int, dict[str, list[float]]]) -> Table:
    """Return the figures as a table."""
    table = Table(
        title=f"Loss efficiency, atomic_only, zero window, {REPLICAS} × {WORKERS} writers, median of {ROUNDS}"
    )
    table.add_column("client")
    for batch in found:
        table.add_column(f"batches of {batch}", justify="right")
        table.add_column("÷ gather", justify="right")
    for client in CLIENTS:
        cells = []
        for by_client in found.values():
            median, gather = (sorted(by_client[name])[ROUNDS // 2] for name in (client, CLIENTS[0]))
            cells += [f"{median:.1%}", f"{median / gather:.2f}"]
        table.add_row(client, *cells)
    return table
