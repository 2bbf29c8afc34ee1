"""A question on the terminal that Ctrl-C ends, whenever it is pressed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from typing import TYPE_CHECKING

from racelab_operator.interruption import Interruption, interruptible

if TYPE_CHECKING:
    from collections.abc import Iterator


def confirmed(question: str) -> bool:
    """Ask on the terminal, on stderr; anything but y or yes means no: so do Ctrl-C, the end of input and a hang-up.

    `input()` is not used: a signal that arrives after Python has looked for signals and before the C library waits
    for the line is only noticed at the next key. Here the signal itself ends the waiting.
    """
    with woken_by_signals() as woken:
        try:
            with interruptible():
                print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
                while sys.stdin not in select.select([sys.stdin, woken], [], [])[0]:
                    os.read(woken, 512)  # another signal, which ends nothing
                return sys.stdin.readline().strip().lower() in ("y", "yes")
        except (Interruption, OSError):
            pass
    print(file=sys.stderr)
    return False


@contextlib.contextmanager
def woken_by_signals() -> Iterator[int]:
    """Give a file descriptor that can be read as soon as a signal with a handler has arrived. Main thread only."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    before = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    try:
        yield woken
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(waker)
