"""The playground, and clients of it whose steps a test decides."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.http import HttpResponse

from bank.interleaving import Scripted
from racelab_bank.audit.report import AuditReport, audit
from racelab_bank.auditor import rows
from racelab_bank.form import PLAYGROUND
from racelab_bank.ledger import Bank
from racelab_bank.models import Account, Run


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


class Visitor(Scripted[HttpResponse]):
    """One request, which stops between its read and its write."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        super().__init__("the request", "default", self._visit)

    def _visit(self) -> HttpResponse:
        _visitors.current = self
        answer: HttpResponse = self._ask()
        return answer


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
