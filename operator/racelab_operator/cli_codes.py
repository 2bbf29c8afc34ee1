"""`racelab codes new`: more discount codes for the bank that is up, since each can be used once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from racelab_operator.auditor import Auditor
from racelab_operator.cli_options import examples, home_option
from racelab_operator.keeping import addresses_of_lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from racelab_operator.observed import Code


@click.group(epilog=examples("racelab codes new --count 5"))
def codes() -> None:
    """Make discount codes on the bank that is up."""


@codes.command(epilog=examples("racelab codes new", "racelab codes new --count 5 --json | jq -r '.codes[].code'"))
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@home_option
def new(home: Path, count: int, *, as_json: bool) -> None:
    """Make discount codes, each for one use, and print how to redeem them.

    The older systems' /demo/ takes the numbers of a code and its item, /bank/redeem/ the ids of their accounts.
    """
    addresses = addresses_of_lab(home)
    with Auditor(addresses.auditor_url, addresses.token) as auditor:
        made = auditor.new_codes(count)
    if as_json:
        click.echo(json.dumps({"codes": [code.model_dump() for code in made]}, indent=2))
        return
    for line in _lines(made):
        click.echo(line)


def _lines(made: Sequence[Code]) -> Iterator[str]:
    rows = [("on /demo/NAME/", "on /bank/redeem/STRATEGY/")]
    rows += [
        (f"item={code.item}&code={code.code}", f"item={code.item_account}&code={code.code_account}") for code in made
    ]
    width = max(len(demo) for demo, _ in rows)
    for demo, bank in rows:
        yield f"{demo:<{width}}  {bank}"
