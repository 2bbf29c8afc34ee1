"""`racelab explain`: who was lost, to whom, and in which interleaving."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from racelab_operator.auditor import Auditor
from racelab_operator.cli_options import examples, home_option
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.keeping import addresses_of_lab
from racelab_operator.outputs import check_directory, check_output
from racelab_operator.runs import unknown_run

if TYPE_CHECKING:
    from racelab_operator.observed import Explained, Interleavings


_SHOWN: Final = 3


@click.command(
    epilog=examples(
        "racelab explain playground",
        "racelab explain quickstart-k3x9a-3 --operation 17",
        "racelab explain quickstart-k3x9a-3 --operation 17 --svg drawing.svg",
        "racelab explain quickstart-k3x9a-3 --limit 20 --svg drawings/",
    )
)
@click.argument("key", metavar="RUN")
@click.option("--operation", metavar="KEY", help="Only where this operation was lost, or overwrote another one.")
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    metavar="N",
    help=f"How many; {_SHOWN} if left out, or 1 with one file for --svg.",
)
@click.option(
    "--svg",
    metavar="OUT",
    help="Draw them, too: the first in a file OUT.svg, or all in a directory OUT, a file each.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, with each drawing if --svg is given.")
@home_option
def explain(home: Path, key: str, operation: str | None, limit: int | None, svg: str | None, *, as_json: bool) -> None:
    """Show each lost operation beside the one that overwrote it: who read what, who wrote when, what prevents it.

    RUN is the key of a run of the lab that is up; `racelab status` lists them, and reports name them. The same is shown
    for two operations that overlooked each other (write skew), for checks that came too early, for accounts that were
    created twice, and for other anomalies of two operations.
    """
    if svg is not None:
        _check(svg, limit)
    one_file = svg is not None and not Path(svg).is_dir()
    addresses = addresses_of_lab(home)
    with Auditor(addresses.auditor_url, addresses.token) as auditor:
        if auditor.run(key) is None:
            raise WrongUseError(unknown_run("RUN", key, auditor))
        found = auditor.interleavings(key, operation, limit or (1 if one_file else _SHOWN), drawing=svg is not None)
    if found is None:
        raise WrongUseError(f"--operation: given {operation}, which run {key} does not have")
    if svg is not None:
        _draw(found, Path(svg))
    if as_json:
        click.echo(json.dumps(found.model_dump(), indent=2, ensure_ascii=False))
    elif found.told is not None:
        click.echo(found.told)
    else:
        click.echo("\n\n".join(one.text for one in found.interleavings), nl=False)
        if found.count > len(found.interleavings):
            click.echo(f"\n{len(found.interleavings)} of {found.count}: --limit shows more")


def _check(svg: str, limit: int | None) -> None:
    """Tell before anything is asked that the drawings cannot be written there."""
    path = Path(svg)
    if path.is_dir():
        if not os.access(path, os.W_OK):
            raise WrongUseError(f"--svg {svg}: cannot be written: choose another place")
        return
    if path.suffix != ".svg" or svg.endswith("/"):
        raise WrongUseError(f"--svg {svg}: there is no such directory: make it first, or name a file OUT.svg")
    check_directory("--svg", svg, path.parent)
    if limit is not None and limit > 1:
        raise WrongUseError(f"--svg {svg}: is one file, for {limit} drawings: name a directory, or say --limit 1")
    check_output("--svg", svg)


def _draw(found: Interleavings, path: Path) -> None:
    """Write the drawings, and say where: on standard error, as standard output may be read by a program."""
    for number, one in enumerate(found.interleavings, start=1):
        file = path / _name(number, one) if path.is_dir() else path
        try:
            file.write_text(one.svg or "", encoding="utf-8")
        except OSError as error:
            raise RacelabError(f"--svg {file}: cannot be written: {error.strerror}") from None
        click.echo(f"drawn in {file}", err=True)


def _name(number: int, one: Explained) -> str:
    """Name a drawing's file by its number, kind and operation, of whose key only harmless characters are taken."""
    about = re.sub(r"[^A-Za-z0-9]+", "-", one.operations[0] if one.operations else "")[:40].strip("-")
    return "-".join(filter(None, (f"{number:03}", one.kind.replace("_", "-"), about))) + ".svg"
