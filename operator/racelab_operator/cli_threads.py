"""`racelab threads`: the same race inside one process."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table

from racelab_operator.cli_options import examples
from racelab_operator.report.table import console
from racelab_operator.threads import count

if TYPE_CHECKING:
    from racelab_operator.threads import Counted


@click.command(epilog=examples("racelab threads", "racelab threads --threads 2 --increments 1000000 --json"))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64), help="How many threads count.")
@click.option(
    "--increments",
    default=100_000,
    show_default=True,
    type=click.IntRange(1, 10_000_000),
    help="How often each of them adds one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def threads(threads: int, increments: int, *, as_json: bool) -> None:
    """Count with threads of one process, and see which increments are lost.

    Three ways: a bare +=; a read, a call and a write; the same under a lock. Needs neither a lab nor a database.
    """
    counted = count(threads, increments)
    if as_json:
        click.echo(json.dumps([{**asdict(one), "lost": one.lost} for one in counted], indent=2))
        return
    out = console(sys.stdout)
    out.print(_table(counted))
    for one in counted:
        out.print(f"{one.way}: {one.why}.", highlight=False, soft_wrap=True)


def _table(counted: list[Counted]) -> Table:
    """Lay the three ways out; the ratio is of seconds, to the first."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("way")
    for column in ("result", "expected", "lost", "seconds", "ratio"):
        table.add_column(column, justify="right")
    for one in counted:
        seconds, ratio = f"{one.seconds:.3f}", f"{one.seconds / counted[0].seconds:.1f}"
        table.add_row(one.way, f"{one.result:,}", f"{one.expected:,}", f"{one.lost:,}", seconds, ratio)
    return table
