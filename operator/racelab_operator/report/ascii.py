"""Drawing for terminals that show nothing but ASCII: every sign has one of the same width in its place."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.segment import Segment

from racelab_operator.report.sparkline import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_SIGNS: Final = dict(zip(LEVELS, "_.-:=+*#", strict=True)) | {
    "−": "-", "–": "-", "─": "-", "━": "#", "×": "x", "·": "|", "…": "~", "▶": ">", "±": "~",
}  # fmt: skip
_TABLE: Final = str.maketrans(_SIGNS)
_PLAIN_LOCALES: Final = frozenset({"C", "POSIX"})


def ascii_text(text: str) -> str:
    """Write a text without anything that is not ASCII, as many characters long."""
    return text.translate(_TABLE).encode("ascii", "replace").decode("ascii")


def draws_ascii(console: Console, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a console can show ASCII only: by its encoding, or since a locale without more was asked for.

    A locale that is not set at all says nothing: Python writes UTF-8 then, and terminals have long shown it.
    """
    try:
        LEVELS.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return True
    return (environment.get("LC_ALL") or environment.get("LANG", "")) in _PLAIN_LOCALES


def write_what_can_be(streams: Iterable[TextIO]) -> None:
    """Let streams whose encoding lacks a sign write another one, instead of failing."""
    codecs.register_error("racelab", _replaced)
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and getattr(stream, "errors", "") == "strict":
            reconfigure(errors="racelab")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return ascii_text(error.object[error.start : error.end]), error.end


@dataclass(frozen=True, slots=True)
class InAscii:
    """Shows something with ASCII only."""

    shown: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render it, and replace every sign."""
        for segment in console.render(self.shown, options):
            yield Segment(ascii_text(segment.text), segment.style, segment.control)
