"""Whole histories: one at a time, and what is kept of them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bank.test_auditing import save
from racelab_bank.auditor import auditing, explaining, rows, runs, wholes
from racelab_bank.models import Account, Generator, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenRun = Callable[..., Run]

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which runs are read."""
    read: list[str] = []
    real = rows.history

    def history(run: Run) -> object:
        read.append(run.key)
        return real(run)

    monkeypatch.setattr(rows, "history", history)
    monkeypatch.setattr(wholes, "_kept", None)
    return read


def ended(run: Run) -> Run:
    """Lose one, end the run, and have it audited."""
    stale = Account.objects.get(run=run)
    save(Account.objects.get(run=run), 5)
    save(stale, 5)
    runs.close_run(Run.objects.get(pk=run.pk))
    Generator.objects.filter(run=run).update(history=Generator.History.COMPLETE)
    Run.objects.filter(pk=run.pk).update(closed_at=datetime.now(UTC) - timedelta(minutes=1))
    assert auditing.audit_run(Run.objects.get(pk=run.pk))["final"]
    return Run.objects.get(pk=run.pk)


def test_an_ended_run_is_read_once_for_all_who_look_into_it(open_run: OpenRun, loaded: list[str]) -> None:
    run = ended(open_run())
    loaded.clear()
    for _ in range(3):
        assert explaining.explain(run, operation=None, offset=0, limit=5, drawing=True)["count"] == 1
        assert auditing.anomalies(run, 0, 10)["count"] == 2
    assert loaded == [run.key]


def test_a_run_that_goes_on_is_read_again_each_time(open_run: OpenRun, loaded: list[str]) -> None:
    run = open_run()
    for entries in (1, 2):
        save(Account.objects.get(run=run), 5)
        with wholes.whole(run) as found:
            assert len(found.history.entries) == entries
    assert loaded == [run.key] * 2


def test_another_run_takes_the_place_of_the_one_that_was_kept(open_run: OpenRun, loaded: list[str]) -> None:
    first, second = ended(open_run()), ended(open_run())
    loaded.clear()
    for run in (first, second, first):
        with wholes.whole(run) as found:
            assert found.history.tables.accounts.id.values.tolist() == [Account.objects.get(run=run).pk]
    assert loaded == [first.key, second.key, first.key]


def test_a_large_one_is_not_kept(open_run: OpenRun, loaded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wholes, "KEPT_ENTRIES", 1)
    run = ended(open_run())
    loaded.clear()
    for _ in range(2):
        with wholes.whole(run):
            pass
    assert loaded == [run.key] * 2


def test_who_comes_while_one_is_worked_on_waits(open_run: OpenRun, loaded: list[str]) -> None:
    run = ended(open_run())
    with wholes.whole(run):
        free: list[bool] = []
        other = threading.Thread(target=lambda: free.append(wholes.TURN.acquire(blocking=False)))
        other.start()
        other.join()
        assert free == [False]
    assert wholes.TURN.acquire(blocking=False)
    wholes.TURN.release()


def test_a_history_that_was_read_before_the_close_had_settled_is_not_taken_for_final(open_run: OpenRun) -> None:
    run = open_run()
    with wholes.whole(run) as before:
        pass
    runs.close_run(run)
    Run.objects.filter(pk=run.pk).update(closed_at=datetime.now(UTC) - timedelta(minutes=1))
    assert not auditing._settled(Run.objects.get(pk=run.pk), before)
