"""The edge to a terminal whose picture changes: it is drawn again where something is new, and left as it was found."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from rich.live import Live

from racelab_operator.report.ascii import InAscii, draws_ascii

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import Console, ConsoleDimensions, RenderableType

LEAST_SECONDS: Final = 0.2


def can_move(console: Console) -> bool:
    """Whether a picture on this console can be drawn over: a terminal, and no dumb one."""
    return console.is_terminal and not console.is_dumb_terminal


class Screen:
    """A picture on a terminal; `own`: on a page of its own, which is gone afterwards.

    It may be entered again. Nothing is drawn while nothing changes, so that text can be marked and nothing flickers.
    """

    def __init__(self, console: Console, *, own: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._own = own
        self._clock = clock
        self._ascii = draws_ascii(console)
        self._live: Live | None = None
        self._drawn: tuple[RenderableType, ConsoleDimensions] | None = None
        self._drawn_at = -LEAST_SECONDS

    def __enter__(self) -> Self:
        self._live = Live(
            console=self._console,
            screen=self._own,
            auto_refresh=False,
            redirect_stdout=False,
            vertical_overflow="crop",
        )
        self._drawn = None
        try:
            self._live.start()
        except BaseException:
            self._live.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._live is not None  # noqa: S101  entered before
        self._live.stop()

    def show(self, picture: RenderableType) -> None:
        """Show this, at once or, where the last picture is very new, with the next one; the last one always comes."""
        assert self._live is not None  # noqa: S101  entered before
        now = (picture, self._console.size)
        if now == self._drawn:
            return
        due = self._clock() >= self._drawn_at + LEAST_SECONDS
        self._live.update(InAscii(picture) if self._ascii else picture, refresh=due)
        if due:
            self._drawn, self._drawn_at = now, self._clock()
