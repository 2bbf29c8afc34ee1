"""Runs by their keys, as people type them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from racelab_operator.auditor import Auditor

_SHOWN: Final = 10


def unknown_run(what: str, key: str, auditor: Auditor) -> str:
    """Say that there is no such run, and which one may be meant. `what` is the argument's name."""
    known = [run.key for run in auditor.runs()]
    close = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known[:_SHOWN]) or 'none'}"
    return f"{what}: there is no run {key}: {hint}"
