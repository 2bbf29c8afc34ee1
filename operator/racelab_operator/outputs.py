"""Files that commands write: whether they can be written is told before anything is started or asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from racelab_operator.errors import RacelabError, WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What stands for standard output.
STDOUT: Final = "-"


def check_output(flag: str, given: str) -> None:
    """Raise `WrongUseError` for a file that could not be written; `flag` is the option that names it."""
    if given == STDOUT:
        return
    path = Path(given)
    if path.is_dir():
        raise WrongUseError(f"{flag} {given}: is a directory: name a file")
    check_directory(flag, given, path.parent)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise WrongUseError(f"{flag} {given}: cannot be written: choose another place")


def check_directory(flag: str, given: str, directory: Path) -> None:
    """Raise `WrongUseError` for a directory that is not there."""
    if not directory.is_dir():
        raise WrongUseError(f"{flag} {given}: there is no directory {directory}: make it first")


def check_outputs(given: Mapping[str, str | None]) -> None:
    """Raise `WrongUseError` where one of several files, by their flags, could not be written, or two are one."""
    files: dict[str, str] = {}
    for flag, file in given.items():
        if file is None:
            continue
        check_output(flag, file)
        place = file if file == STDOUT else str(Path(file).resolve())
        if place in files:
            raise WrongUseError(f"{flag} {file}: given with {files[place]} {file}: name another file for one of them")
        files[place] = flag


def write_output(flag: str, given: str, text: str) -> None:
    """Write a file, or to standard output.

    Raises:
        RacelabError: it cannot be written.

    """
    if given == STDOUT:
        click.echo(text.encode(), nl=False)
        return
    try:
        Path(given).write_text(text, encoding="utf-8")
    except OSError as error:
        raise RacelabError(f"{flag} {given}: cannot be written: {error.strerror}") from None
