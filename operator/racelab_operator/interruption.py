"""Ctrl-C and its kin: the first one ends the work in order, the second one ends the program at once."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption(BaseException):
    """The user, or the system, wants the program to end. No `except Exception` swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interruption` where the first signal arrives; after it, the signals have their default effect.

    So a second Ctrl-C ends the program at once. What it had started ends with it, by its parent's death.
    Only for the main thread. A signal that was ignored at the start (nohup) stays ignored.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    caught = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for other in caught:
            signal.signal(other, signal.SIG_DFL)
        raise Interruption(number)

    for number in caught:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, before[number])
