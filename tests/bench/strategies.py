"""What each strategy costs relative to `read_modify_write`: the same deposits, on one account and on a hundred."""

from __future__ import annotations

from typing import Final

from rich.table import Table

from bench.lab import lab
from racelab_operator.catalog import catalog

REPLICAS: Final = 3
REQUESTS: Final = 300
ROUNDS: Final = 3
ACCOUNTS: Final = (1, 100)
BASE: Final = "read_modify_write"


def isolation(strategy: str) -> str:
    """Return the weakest level that a strategy is for."""
    return next(iter(catalog().strategies[strategy].claims["deposit"]))


def measure() -> dict[str, dict[int, list[float]]]:
    """Return seconds per request of every round, by strategy and number of accounts; rounds are interleaved."""
    names = [BASE, *(name for name in catalog().strategies if name != BASE)]
    found: dict[str, dict[int, list[float]]] = {name: {accounts: [] for accounts in ACCOUNTS} for name in names}
    with lab(REPLICAS, 1) as bench:
        for turn in range(ROUNDS + 1):
            for accounts in ACCOUNTS:
                for name in names:
                    key, _ = bench.open_run(name, accounts)
                    form = f"account={{account}}&amount={{amount}}&operation={{operation}}&isolation={isolation(name)}"
                    size = ("--requests", str(REQUESTS), "--concurrency", "12")
                    summary = bench.load(name, key, "--form", form, *size)
                    bench.audit(key)
                    if turn:  # the first round warms up
                        found[name][accounts].append(1 / summary["requests_per_second"])
    return found


def table(found: dict[str, dict[int, list[float]]]) -> Table:
    """Return the figures as a table of ratios."""
    table = Table(title=f"Cost of a deposit, ÷ {BASE}, {REPLICAS} replicas, median of {ROUNDS}")
    table.add_column("strategy")
    for accounts in ACCOUNTS:
        table.add_column(f"{accounts} account{'s' if accounts > 1 else ''}", justify="right")
        table.add_column("ms", justify="right")
    for name, by_accounts in found.items():
        cells = []
        for accounts, seconds in by_accounts.items():
            median, base = (sorted(one)[ROUNDS // 2] for one in (seconds, found[BASE][accounts]))
            cells += [f"{median / base:.2f}", f"{median * 1000:.2f}"]
        table.add_row(name, *cells)
    return table
