"""Anomalies for people: the audit's names for them are kept everywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What stands where there is no figure.
NOTHING: Final = "–"


def others_as_text(anomalies: Mapping[str, int]) -> str:
    """Write what was found beside lost updates, which are always told: `1 hidden overdraft, 12 write skews`.

    Empty where nothing was.
    """
    found = {kind: count for kind, count in anomalies.items() if count and kind != "lost_update"}
    return ", ".join(f"{count} {_noun(kind, count)}" for kind, count in found.items())


def _noun(kind: str, count: int) -> str:
    noun = kind.replace("_", " ")
    if count == 1:
        return noun
    return f"{noun}es" if noun.endswith("ch") else f"{noun}s"
