"""Files that commands write: whether they can be written is told before anything is started or asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from racelab_operator.errors import WrongUseError

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
