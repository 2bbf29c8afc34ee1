"""The question on the terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from racelab_operator.asking import confirmed

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Terminal:
    """The other ends of what stands in for the terminal."""

    keys: int
    screen: int


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Undo that SIGINT is ignored, as it is in what a shell starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def terminal() -> Iterator[Terminal]:
    """Let pipes stand for standard input and error: in the test itself, for pytest sets its own before it."""
    own, keys = os.pipe()
    screen, shown = os.pipe()
    with os.fdopen(own) as stdin, os.fdopen(shown, "w", buffering=1) as stderr, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", stdin)
        patch.setattr("sys.stderr", stderr)
        yield Terminal(keys, screen)
    os.close(screen)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("yesterday\n", False), ("", False)],
)
def test_only_y_and_yes_mean_yes(keys: str, answer: bool) -> None:
    with terminal() as it:
        os.write(it.keys, keys.encode())
        os.close(it.keys)
        assert confirmed("do it?") is answer
        assert os.read(it.screen, 100).startswith(b"do it? [y/N]: ")


@pytest.mark.timeout(60)
def test_ctrl_c_means_no_however_early_it_comes() -> None:
    times = 300

    def press(screen: int) -> None:
        for _ in range(times):
            while b":" not in os.read(screen, 100):
                pass
            os.kill(os.getpid(), signal.SIGINT)

    with terminal() as it:
        presser = threading.Thread(target=press, args=(it.screen,), daemon=True)
        presser.start()
        assert [confirmed("do it?") for _ in range(times)] == [False] * times
        presser.join()
        os.close(it.keys)


def test_another_signal_does_not_end_the_question() -> None:
    with terminal() as it:
        before = signal.signal(signal.SIGUSR1, lambda *_: os.write(it.keys, b"y\n"))
        presser = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1))
        try:
            presser.start()
            assert confirmed("do it?")
            presser.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
            os.close(it.keys)
