"""The playground, and clients of it whose steps a test decides."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Self

import pytest
from django.apps import apps
from django.db import connection, connections
from django.http import HttpResponse

from racelab_bank.audit.report import AuditReport, audit
from racelab_bank.auditor import rows
from racelab_bank.form import PLAYGROUND
from racelab_bank.ledger import Bank
from racelab_bank.models import Account, Run

_PATIENCE_SECONDS = 20
_POLL_SECONDS = 0.005


@dataclass(frozen=True)
class Playground:
    """The standing run, and who is on it."""

    run: Run
    account: Account
    item: Account
    code: Account

    def balance(self, account: Account) -> int:
        account.refresh_from_db()
        return account.balance_cents

    def audit(self) -> AuditReport:
        with rows.snapshot():
            history = rows.history(self.run)
        return audit(history, final=True)


def open_playground() -> Playground:
    """Return the playground as the migrations make it: tests that flush the database take it away."""
    if not Run.objects.filter(key=PLAYGROUND).exists():
        database = SimpleNamespace(connection=SimpleNamespace(alias="default"))
        import_module("racelab_bank.migrations.0003_playground").open_playground(apps, database)
        import_module("racelab_bank.migrations.0005_playground_shop").stock(apps, database)
    run = Run.objects.get(key=PLAYGROUND)
    account, item, code = (Account.objects.get(run=run, kind=kind) for kind in ("money", "item", "code"))
    return Playground(run, account, item, code)


class Visitor:
    """One request in a thread of its own, which stops between its read and its write until the test lets it go on."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._answer: HttpResponse | None = None
        self._failure: BaseException | None = None
        self._server_pid: int | None = None
        self._in_window, self._released = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        _visitors.current = self
        try:
            connection.ensure_connection()
            self._server_pid = connection.connection.info.backend_pid
            self._answer = self._ask()
        except BaseException as error:  # noqa: BLE001 - shown by finish()
            self._failure = error
        finally:
            connections.close_all()

    def pause(self) -> None:
        self._in_window.set()
        assert self._released.wait(_PATIENCE_SECONDS), "it was never let go on"

    def start(self) -> Self:
        """Run until the request stands in its window, waits for a lock, or has ended."""
        self._thread.start()
        patience = threading.Event()
        for _ in range(int(_PATIENCE_SECONDS / _POLL_SECONDS)):
            if self._in_window.is_set() or self._blocks() or not self._thread.is_alive():
                return self
            patience.wait(_POLL_SECONDS)
        raise AssertionError("it neither waits nor ends")

    def _blocks(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [self._server_pid])
            return bool(cursor.fetchone() == ("Lock",))

    def finish(self) -> HttpResponse:
        self._released.set()
        self._thread.join(_PATIENCE_SECONDS)
        if self._failure is not None:
            raise self._failure
        assert self._answer is not None, "it does not end"
        return self._answer


_visitors = threading.local()


@contextmanager
def windows_stop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make every strategy's window stop the visitor that is in it."""
    with monkeypatch.context() as patched:
        patched.setattr(Bank, "wait_window", lambda bank: _visitors.current.pause())
        yield


def together(monkeypatch: pytest.MonkeyPatch, *asks: Callable[[], Any]) -> list[HttpResponse]:
    """Send requests that all read before any of them writes, if nothing keeps them from it; return the answers."""
    with windows_stop(monkeypatch):
        visitors = [Visitor(ask).start() for ask in asks]
        return [visitor.finish() for visitor in visitors]
