"""`racelab verify` and `racelab export`: the proof as a tool of its own, and a run to try it on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from racelab_operator.auditor import Auditor
from racelab_operator.cli_options import examples, home_option
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.keeping import addresses_of_lab
from racelab_operator.outputs import STDOUT, check_output
from racelab_operator.runs import unknown_run

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The audit belongs to the bank, which this package never imports: it is asked as a program.
VERIFIER: Final = (sys.executable, "-m", "racelab_bank.verifying")


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
    short_help="Check a history file without a database.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verify(arguments: tuple[str, ...]) -> int:
    """Check a history file; `racelab verify --help` tells how."""
    return subprocess.run([*VERIFIER, *arguments], check=False).returncode


@click.command(
    epilog=examples(
        "racelab export quickstart-k3x9a-4 --out history.jsonl",
        "racelab export playground | racelab verify -",
    )
)
@click.argument("key", metavar="RUN")
@click.option("--out", default=STDOUT, show_default=True, metavar="FILE", help="Where to; - is standard output.")
@home_option
def export(home: Path, key: str, out: str) -> None:
    """Write a run of the lab that is up as a history file: everything that proves what became of the money.

    `racelab verify` checks it without a database; docs/histories.md tells its format. The file is whole or not there.
    """
    check_output("--out", out)
    addresses = addresses_of_lab(home)
    with Auditor(addresses.auditor_url, addresses.token) as auditor:
        if auditor.run(key) is None:
            raise WrongUseError(unknown_run("RUN", key, auditor))
        with auditor.history(key) as blocks:
            if out == STDOUT:
                for block in blocks:
                    sys.stdout.buffer.write(block)
                sys.stdout.buffer.flush()
            else:
                _write(Path(out), blocks)


def _write(path: Path, blocks: Iterator[bytes]) -> None:
    """Write beside the file first, so that one which is there stays until its successor is whole."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with half.open("wb") as file:
            for block in blocks:
                file.write(block)
        half.replace(path)
    except OSError as error:
        raise RacelabError(f"--out {path}: cannot be written: {error.strerror}") from None
    finally:
        half.unlink(missing_ok=True)
