"""Texts of callers as they stand in columns and drawings: how wide they are, and where a line ends.

A wide character takes two columns and an accent none. What runs from right to left is isolated, so that nothing beside
it changes its place.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_RIGHT_TO_LEFT: Final = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_RUNS: Final = re.compile(f"[{_RIGHT_TO_LEFT}]+(?:[^\\w{_RIGHT_TO_LEFT}]+[{_RIGHT_TO_LEFT}]+)*")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def isolated(text: str) -> str:
    """Return a text in which what runs from right to left is kept to itself."""
    return _RUNS.sub(lambda run: f"{_FIRST_STRONG_ISOLATE}{run.group()}{_POP_ISOLATE}", text)


def wrapped(text: str, columns: int) -> list[str]:
    """Return a text on lines of at most so many columns, at least one; a word that is wider is broken."""
    lines = [""]
    for word in text.split():
        for piece in _pieces(word, columns):
            longer = f"{lines[-1]} {piece}" if lines[-1] else piece
            if width(longer) <= columns:
                lines[-1] = longer
            else:
                lines.append(piece)
    return lines


def _pieces(word: str, columns: int) -> list[str]:
    pieces, taken = [""], 0
    for character in word:
        wide = _columns(character)
        if taken + wide > columns:
            pieces.append("")
            taken = 0
        pieces[-1] += character
        taken += wide
    return pieces


def clipped(text: str, columns: int) -> str:
    """Return a text of at most so many columns; where it is longer, its middle is left out."""
    if width(text) <= columns:
        return text
    half = (columns - 1) // 2
    return f"{_pieces(text, columns - 1 - half)[0]}…{_pieces(text[::-1], half)[0][::-1]}"


def padded(text: str, columns: int) -> str:
    """Return a text filled up with spaces, with what runs from right to left kept to itself."""
    return isolated(text) + " " * (columns - width(text))
