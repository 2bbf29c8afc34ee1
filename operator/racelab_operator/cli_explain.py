"""`racelab explain`: who was lost, to whom, and in which interleaving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from racelab_operator.auditor import Auditor
from racelab_operator.cli_options import examples, home_option
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.keeping import addresses_of_lab
from racelab_operator.runs import unknown_run

if TYPE_CHECKING:
    from racelab_operator.observed import Interleavings


@click.command(
    epilog=examples(
        "racelab explain playground",
        "racelab explain quickstart-k3x9a-3 --operation 17",
        "racelab explain quickstart-k3x9a-3 --limit 1 --svg drawing.svg",
        "racelab explain quickstart-k3x9a-3 --limit 20 --svg drawings/",
    )
)
@click.argument("key", metavar="RUN")
@click.option("--operation", metavar="KEY", help="Only where this operation was lost, or overwrote another one.")
@click.option("--limit", type=click.IntRange(1, 100), default=3, show_default=True, metavar="N", help="How many.")
@click.option("--svg", metavar="OUT", help="Draw them: FILE.svg for one, a directory for several, NUMBER.svg each.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@home_option
def explain(home: Path, key: str, operation: str | None, limit: int, svg: str | None, *, as_json: bool) -> None:
    """Show each lost operation beside the one that overwrote it: who read what, who wrote when, what prevents it.

    RUN is the key of a run of the lab that is up; `racelab status` lists them, and reports name them. The same is shown
    for two operations that overlooked each other (write skew), and for accounts that were created twice.
    """
    if svg is not None:
        _check(svg, limit)
    addresses = addresses_of_lab(home)
    with Auditor(addresses.auditor_url, addresses.token) as auditor:
        if auditor.run(key) is None:
            raise WrongUseError(unknown_run("RUN", key, auditor))
        found = auditor.interleavings(key, operation, limit, drawing=svg is not None)
    if found is None:
        raise WrongUseError(f"--operation: given {operation}, which run {key} does not have")
    if svg is not None:
        _draw(found, svg)
    if as_json:
        click.echo(json.dumps(found.model_dump(), indent=2, ensure_ascii=False))
    elif found.told is not None:
        click.echo(found.told)
    else:
        click.echo("\n\n".join(one.text for one in found.interleavings), nl=False)
        if found.count > len(found.interleavings):
            click.echo(f"\n{len(found.interleavings)} of {found.count}: --limit shows more")


def _check(svg: str, limit: int) -> None:
    """Tell before anything is asked that the drawings cannot be written there."""
    path = Path(svg)
    directory = path if path.is_dir() or svg.endswith("/") else path.parent
    if not directory.is_dir():
        raise WrongUseError(f"--svg {svg}: there is no directory {directory}: make it first")
    if directory == path.parent and not path.is_dir() and limit > 1:
        raise WrongUseError(f"--svg {svg}: one file for up to {limit} drawings: name a directory, or say --limit 1")


def _draw(found: Interleavings, svg: str) -> None:
    path = Path(svg)
    for number, one in enumerate(found.interleavings, start=1):
        file = path / f"{number}.svg" if path.is_dir() else path
        try:
            file.write_text(one.svg or "", encoding="utf-8")
        except OSError as error:
            raise RacelabError(f"--svg {file}: cannot be written: {error.strerror}") from None
        click.echo(f"drawn in {file}", err=True)
