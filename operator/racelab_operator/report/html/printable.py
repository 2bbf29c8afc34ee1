"""Texts from elsewhere, as a page may show them: what cannot be seen, or would turn its surroundings, is escaped."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

# Lines and columns; isolates and joiners, which stay with their own text.
_KEPT: Final = frozenset("\n\t\u2066\u2067\u2068\u2069\u200c\u200d")


def printable(text: str) -> str:
    """Write every character that does not print by its escape, such as that of the zero byte or of an override."""
    return "".join(one if _prints(one) else one.encode("unicode_escape").decode("ascii") for one in text)


def _prints(character: str) -> bool:
    return character.isprintable() or character in _KEPT or unicodedata.category(character) == "Zs"


def all_printable(value: Any) -> Any:
    """Do the same with every text in a value of mappings and sequences, names included."""
    match value:
        case str():
            return printable(value)
        case dict():
            return {all_printable(name): all_printable(inner) for name, inner in value.items()}
        case list() | tuple():
            return [all_printable(inner) for inner in value]
        case _:
            return value
