"""What is wrong with a history file, in the words of somebody who has to mend it."""

from __future__ import annotations

import difflib
import json
import re
from typing import Any

from racelab_bank.audit.jsonl import lines


class WrongHistory(Exception):
    """A file that is no history, told with the `line` to look at, from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


def what_does_not_fit(raw: bytes, problem: str) -> str:  # noqa: PLR0911 - a sentence each
    """Return what msgspec says of a line that is no line of a history, with what was given and what is allowed."""
    try:
        given: Any = json.loads(raw)
    except ValueError as error:
        return f"no JSON: {error}"
    kinds = {str(kind.__struct_config__.tag): kind for kind in lines.KINDS}
    if not isinstance(given, dict):
        return "every line is one JSON object"
    kind = given.get("kind")
    if kind not in kinds:
        return f"kind: given {_shown(kind)}, allowed {', '.join(kinds)}"
    allowed = kinds[kind].__struct_fields__
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", problem)
    if unknown:
        close = difflib.get_close_matches(unknown[1], allowed, 1)
        hint = f"did you mean {close[0]}?" if close else f"allowed {', '.join(allowed)}"
        return f"{unknown[1]}: no field of kind {kind}: {hint}"
    missing = re.fullmatch(r"Object missing required field `(.*)`", problem)
    if missing:
        return f"{missing[1]}: missing; a line of kind {kind} must have it"
    place = re.fullmatch(r"(.*) - at `\$\.([^`]*)`", problem)
    if place:
        return f"{place[2]}: given {_shown(given.get(place[2]))}, {place[1][0].lower()}{place[1][1:]}"
    return problem


def _shown(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
