"""Runs by their keys, as people type them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from racelab_operator.observed import Run

_SHOWN: Final = 10


class Lister(Protocol):
    """What knows the newest runs: an auditor's client, for one."""

    def runs(self) -> list[Run]:
        """List them, the newest first."""


def unknown_run(what: str, key: str, lister: Lister) -> str:
    """Say that there is no such run, and which one may be meant. `what` is the argument's name."""
    known = [run.key for run in lister.runs()]
    close = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known[:_SHOWN]) or 'none'}"
    return f"{what}: there is no run {key}: {hint}"
