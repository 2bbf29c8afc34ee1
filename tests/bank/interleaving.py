"""Threads whose steps a test decides: real connections, and events instead of luck."""

import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from django.db import connections

from racelab_bank.databases.postgresql import ALIASES
from racelab_bank.errors import NotApplied
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import Strategy

_PATIENCE_SECONDS = 20
_POLL_SECONDS = 0.005

Outcome = TypeVar("Outcome")


class Scripted(Generic[Outcome]):
    """One action in a thread of its own, which stops where it calls `pause` until the test lets it go on."""

    def __init__(self, name: str, alias: str, act: Callable[[], Outcome]) -> None:
        self.name = name
        self.outcome: Outcome | None = None
        self.failure: BaseException | None = None
        self._alias = alias
        self._act = act
        self._in_window = threading.Event()
        self._released = threading.Event()
        self._server_pid: int | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            connection = connections[self._alias]
            connection.ensure_connection()
            self._server_pid = connection.connection.info.backend_pid
            self.outcome = self._act()
        except BaseException as error:  # noqa: BLE001 - shown by finish()
            self.failure = error
        finally:
            connections.close_all()

    def pause(self) -> None:
        """Stand in the window; called by the thread."""
        self._in_window.set()
        assert self._released.wait(_PATIENCE_SECONDS), f"{self.name} was never let go on"

    def start(self) -> Self:
        """Run until the action stands in its window, waits for a lock, or has ended."""
        self._thread.start()
        _await(lambda: self._in_window.is_set() or self.blocks or not self._thread.is_alive(), f"{self.name} stands")
        return self

    @property
    def in_window(self) -> bool:
        """Whether it has reached its window."""
        return self._in_window.is_set()

    @property
    def blocks(self) -> bool:
        """Whether the database says that it waits for a lock."""
        if self._server_pid is None:
            return False
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [self._server_pid])
            row = cursor.fetchone()
        return row is not None and row[0] == "Lock"

    def finish(self) -> Outcome:
        """Let it go on to its end; return what became of it."""
        self._released.set()
        self._thread.join(_PATIENCE_SECONDS)
        assert not self._thread.is_alive(), f"{self.name} does not end"
        if self.failure is not None:
            raise self.failure
        assert self.outcome is not None
        return self.outcome


class ScriptedClient(Scripted[Applied | NotApplied]):
    """One operation of the bank."""

    def __init__(self, name: str, strategy: Strategy, posting: Posting, isolation: str) -> None:
        self.bank = Bank(ALIASES[isolation], name, strategy.name, self.pause)
        self._strategy = strategy
        self._posting = posting
        super().__init__(name, self.bank.alias, self._apply)

    def _apply(self) -> Applied | NotApplied:
        try:
            return self.bank.apply(self._strategy, self._posting)
        except NotApplied as error:
            return error


def _await(condition: Callable[[], bool], what: str) -> None:
    pause = threading.Event()
    for _ in range(int(_PATIENCE_SECONDS / _POLL_SECONDS)):
        if condition():
            return
        pause.wait(_POLL_SECONDS)
    raise AssertionError(f"waited {_PATIENCE_SECONDS} s in vain until {what}")
