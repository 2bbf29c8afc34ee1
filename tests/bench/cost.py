"""What each strategy costs relative to `read_modify_write`, in one run; writes docs/cost.md.

The same deposits on one account and on a hundred, and the client of the /hesap system as its author ran it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from rich.markdown import Markdown

from bench import hesap
from bench.lab import Bench, lab
from racelab_operator.catalog import catalog

REPLICAS: Final = 3
REQUESTS: Final = 300
ROUNDS: Final = 3
ACCOUNTS: Final = (1, 100)
BASE: Final = "read_modify_write"
AUTHOR: Final = " s, ".join(map(str, hesap.AUTHOR_SECONDS.values())) + " s"
PAGE: Final = Path(__file__).parents[2] / "docs/cost.md"


@dataclass(frozen=True)
class Cost:
    """Seconds per request of every round, by strategy and number of accounts; seconds of every round, by path."""

    strategies: dict[str, dict[int, list[float]]]
    hesap: dict[str, list[float]]


def isolation(strategy: str) -> str:
    """Return the weakest level that a strategy is for."""
    return next(iter(catalog().strategies[strategy].claims["deposit"]))


def measure() -> Cost:
    """Measure in interleaved rounds, of which the first only warms up."""
    names = [BASE, *(name for name in catalog().strategies_for("deposit") if name != BASE)]
    cost = Cost({name: {accounts: [] for accounts in ACCOUNTS} for name in names}, {path: [] for path in hesap.PATHS})
    with lab(REPLICAS, 1) as bench:
        for turn in range(ROUNDS + 1):
            for accounts in ACCOUNTS:
                for name in names:
                    found = deposits(bench, name, accounts)
                    if turn:
                        cost.strategies[name][accounts].append(found)
            for owner, path in enumerate(hesap.PATHS, start=1):
                taken = hesap.seconds(bench.http_url, path, 10 * turn + owner)
                if turn:
                    cost.hesap[path].append(taken)
    return cost


def deposits(bench: Bench, strategy: str, accounts: int) -> float:
    """Return the seconds per deposit of one run."""
    key, _ = bench.open_run(strategy, accounts)
    form = f"account={{account}}&amount={{amount}}&operation={{operation}}&isolation={isolation(strategy)}"
    summary = bench.load(strategy, key, "--form", form, "--requests", str(REQUESTS), "--concurrency", "12")
    bench.audit(key)
    return float(1 / summary["requests_per_second"])


def page(cost: Cost) -> str:
    """Return docs/cost.md."""
    lines = [
        "# What a strategy costs",
        "",
        "Made by `make bench ARGS=cost` in one run; do not edit. Ratios carry over to other machines, times do not.",
        "",
        "## A deposit",
        "",
        f"Time per deposit relative to `{BASE}`: {REPLICAS} replicas of one worker, 12 clients, no window;",
        f"median of {ROUNDS} rounds, which vary by some 10 %. Each strategy at the weakest level that it is for. What",
        "turns requests away at once, as `row_lock_nowait` does, is not fast: it does less.",
        "",
        "| Strategy | 1 account | 100 accounts |",
        "| --- | --- | --- |",
    ]
    for name, by_accounts in cost.strategies.items():
        cells = (
            f"{median(found) / median(cost.strategies[BASE][accounts]):.2f} ({median(found) * 1000:.1f} ms)"
            for accounts, found in by_accounts.items()
        )
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    lines += [
        "",
        "## The /hesap client",
        "",
        f"{hesap.THREADS} threads, {hesap.POSTS} posts each ([history.md](history.md)): the same client on the naive,",
        f"the locked and the F() endpoint. Its author took {AUTHOR}.",
        "",
        "| Path | here | ratio | author's ratio |",
        "| --- | --- | --- | --- |",
    ]
    naive, author = hesap.PATHS[0], hesap.AUTHOR_SECONDS
    lines += [
        f"| `{path}` | {median(taken):.2f} s | {median(taken) / median(cost.hesap[naive]):.2f} "
        f"| {author[path] / author[naive]:.2f} |"
        for path, taken in cost.hesap.items()
    ]
    return "\n".join([*lines, ""])


def table(cost: Cost) -> Markdown:
    """Write docs/cost.md, and return it for the terminal."""
    text = page(cost)
    PAGE.write_text(text, encoding="utf-8")
    return Markdown(text)
