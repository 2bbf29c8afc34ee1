"""The folder that holds all that a lab keeps: `.racelab/`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from racelab_operator.platforms.local.errors import FAILED, WRONG_USE, LabError

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE: Final = 1024 * 1024
NEW_DATABASE_BYTES: Final = 100 * MEBIBYTE
"""A fresh PostgreSQL takes about 40 MiB; runs add to it."""
OLD_DATABASE_BYTES: Final = 40 * MEBIBYTE


def open_home(home: Path) -> None:
    """Make the folder, for this user only, when it is missing."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"the home {home} cannot be made: {error.strerror}; choose another (RACELAB_HOME or --home)"
        raise LabError(message, WRONG_USE) from error


def missing_bytes(free_bytes: int, *, has_data: bool) -> int:
    """Return how many bytes a lab lacks on a disk with this much free; 0 when it has enough."""
    return max(0, (OLD_DATABASE_BYTES if has_data else NEW_DATABASE_BYTES) - free_bytes)


def check_space(home: Path, *, has_data: bool) -> None:
    """LabError when the disk has too little room for PostgreSQL."""
    free_bytes = shutil.disk_usage(home).free
    if lacking := missing_bytes(free_bytes, has_data=has_data):
        needed = free_bytes + lacking
        raise LabError(
            f"no space for PostgreSQL: {home} has {free_bytes // MEBIBYTE} MiB free and needs "
            f"{needed // MEBIBYTE} MiB; free some, or choose another home (RACELAB_HOME or --home)",
            FAILED,
        )
