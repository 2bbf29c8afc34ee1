"""Audits runs: live while they go on, finally once they are closed and everything on its way has arrived."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from racelab_bank.audit.history import History
from racelab_bank.audit.jsonl.writing import write
from racelab_bank.audit.live import LiveAudit
from racelab_bank.audit.live_account import AccountFigures
from racelab_bank.audit.report import audit, live_report, page
from racelab_bank.audit.rows import Account
from racelab_bank.auditor import rows
from racelab_bank.models import Run

#: After closing, writers that autocommit may still be between their update and their entry. They get so long.
PATIENCE_SECONDS = 2.0

#: How many runs' live audits are kept; another one starts again from its run's first row.
_LIVE_RUNS = 64

#: A half whose other half has not come for so many polls is given up on: its writer was killed between the two.
_TORN_AFTER_POLLS = 50


def audit_run(run: Run, *, live: bool = False) -> dict[str, Any]:
    """Return the audit of docs/contracts.md: final when the run is closed and settled, live otherwise or when asked."""
    if live or run.closed_at is None:
        return _live(run).turn(run)
    if run.report is not None:
        return dict(run.report)
    with rows.snapshot():
        history = rows.history(run)
        settled = _settled(run, history)
    report = audit(history, final=settled).to_json(run.key, start_skew_microseconds=rows.start_skew_microseconds(run))
    if settled and history.histories.missing() is None:
        Run.objects.filter(pk=run.pk).update(report=report)
    return report


def anomalies(run: Run, offset: int, limit: int) -> dict[str, Any]:
    """Return a page of the run's anomalies, and how many there are."""
    with rows.snapshot():
        history = rows.history(run)
        settled = run.closed_at is not None and _settled(run, history)
    count, found = page(history, final=settled, offset=offset, limit=limit)
    return {"run": run.key, "count": count, "anomalies": [anomaly.to_json() for anomaly in found]}


def accounts(run: Run, limit: int) -> dict[str, Any]:
    """Return the run's accounts that have entries, those with the largest drift first, and how many there are."""
    figures = _live(run).accounts(run)
    figures.sort(key=lambda one: (-abs(one.drift_cents), -one.lost, one.account))
    who = rows.owners([one.account for one in figures[:limit]])
    return {
        "run": run.key,
        "count": len(figures),
        "accounts": [asdict(one) | who[one.account] for one in figures[:limit]],
    }


def duplicate_balances(run: Run) -> dict[str, Any]:
    """Count lost updates as one does without a ledger: entries that recorded the balance that another had recorded.

    `reasons` tells why the count misleads here; empty when it can be trusted.
    """
    counted = rows.duplicate_balances(run)
    have = "1 entry has" if counted.unrecorded == 1 else f"{counted.unrecorded} entries have"
    reasons = {
        "amounts differ, or are 0: two correct operations can end at the same balance": counted.differ,
        f"{have} no recorded balance (the database computed it), and cannot be counted": counted.unrecorded > 0,
        "deposits and withdrawals mix: a balance that comes back is counted as lost": counted.mix,
        "no balance is kept: entries that recorded the same sum all count, and none is lost": counted.derived,
        "a late writer put an older balance back: what was lost by that is not counted": counted.put_back,
    }
    return {
        "run": run.key,
        "duplicates": counted.duplicates,
        "reasons": [reason for reason, applies in reasons.items() if applies],
    }


def _settled(run: Run, history: History) -> bool:
    """Whether nothing is on its way: all transactions older than the close have ended, and no half is awaited."""
    assert run.closed_at is not None  # noqa: S101 - callers look first
    if rows.horizon() <= int(run.close_transaction or 0):
        return False
    if (datetime.now(UTC) - run.closed_at).total_seconds() > PATIENCE_SECONDS:
        return True
    versions, postings = history.versions, history.postings
    whole = postings.legs == history.tables.entries.leg_count.values[postings.first]
    return bool(versions.has_entry.all() and whole.all())


def export(run: Run) -> Iterator[bytes]:
    """Return the lines of the run's history file, as it is now."""
    with rows.snapshot():
        history = rows.history(run)
    return write(history, run.key, scenario=run.scenario, strategy=run.strategy, isolation=run.isolation)


class _Live:
    """One run's live audit, and up to which transaction it has read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.audit = LiveAudit([])
        self.since = 0

    def turn(self, run: Run) -> dict[str, Any]:
        """Read what has become visible, and report."""
        with self.lock:
            return live_report(self._read(run).figures(), rows.histories(run)).to_json(run.key)

    def accounts(self, run: Run) -> list[AccountFigures]:
        """Read what has become visible, and return the figures of each account that has entries."""
        with self.lock:
            return list(self._read(run).accounts())

    def _read(self, run: Run) -> LiveAudit:
        with rows.snapshot():
            until = rows.horizon()
            since = str(max(self.since, int(run.open_transaction)))
            entries, installs = rows.entries(run, since, str(until)), rows.installs(run, since, str(until))
            if rows.account_count(run) != len(self.audit.followed):
                self.audit.add(_as_opened(run, since, self.audit.followed))
        self.audit.consume(entries, installs)
        self.audit.accept_torn(polls=_TORN_AFTER_POLLS)
        self.since = until
        return self.audit


_runs: OrderedDict[int, _Live] = OrderedDict()
_runs_lock = threading.Lock()


def _live(run: Run) -> _Live:
    with _runs_lock:
        live = _runs.setdefault(run.pk, _Live())
        _runs.move_to_end(run.pk)
        while len(_runs) > _LIVE_RUNS:
            _runs.popitem(last=False)
    return live


def _as_opened(run: Run, since: str, followed: AbstractSet[int]) -> list[Account]:
    """Return the run's accounts that are not followed yet, as they were opened. Call it within a `snapshot`.

    An account's opening head is what its first install has replaced; without an install, the head that it has now. Of
    an account that nobody saw at the last look, all installs are by transactions from `since`: none had ended by then.
    One that was created with its first balance has replaced nothing. It gets a head that no install has: its creation
    is then its first version, also when the head that it has now is known before the installs that led to it.
    """
    opening_heads: dict[int, UUID] = {}
    for install in rows.installs(run, since):
        opening_heads.setdefault(install.account, install.old_head or uuid4())
    return [
        replace(account, head=opening_heads.get(account.id, account.head), balance_cents=account.opening_cents)
        for account in rows.accounts(run)
        if account.id not in followed
    ]
