"""Audits runs: live while they go on, finally once they are closed and everything on its way has arrived."""

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from racelab_bank.audit.history import Account, History
from racelab_bank.audit.live import LiveAudit
from racelab_bank.audit.report import audit, findings, live_report
from racelab_bank.auditor import rows
from racelab_bank.models import Run

if TYPE_CHECKING:
    from uuid import UUID

#: After closing, writers that autocommit may still be between their update and their entry. They get so long.
PATIENCE_SECONDS = 2.0

#: How many runs' live audits are kept; another one starts again from its run's first row.
_LIVE_RUNS = 64

#: A half whose other half has not come for so many polls is given up on: its writer was killed between the two.
_TORN_AFTER_POLLS = 50


def audit_run(run: Run) -> dict[str, Any]:
    """Return the audit of docs/contracts.md: final when the run is closed and settled, live otherwise."""
    if run.report is not None:
        return dict(run.report)
    if run.closed_at is None:
        return _live(run)
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
    found = list(findings(history, final=settled))
    page = found[offset : offset + limit]
    return {"run": run.key, "count": len(found), "anomalies": [anomaly.to_json() for anomaly in page]}


def _settled(run: Run, history: History) -> bool:
    """Whether nothing is on its way: all transactions older than the close have ended, and no half is awaited."""
    assert run.closed_at is not None  # noqa: S101 - callers look first
    if rows.horizon() <= int(run.close_transaction or 0):
        return False
    if (datetime.now(UTC) - run.closed_at).total_seconds() > PATIENCE_SECONDS:
        return True
    return {(entry.id, entry.account) for entry in history.entries} >= {
        (install.new_head, install.account) for install in history.installs
    }


class _Live:
    """One run's live audit, and up to which transaction it has read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.audit: LiveAudit | None = None
        self.since = 0

    def turn(self, run: Run) -> dict[str, Any]:
        """Read what has become visible, and report."""
        with self.lock:
            with rows.snapshot():
                until = rows.horizon()
                since = str(max(self.since, int(run.open_transaction)))
                entries, installs = rows.entries(run, since, str(until)), rows.installs(run, since, str(until))
                if self.audit is None:
                    self.audit = LiveAudit(_as_opened(run))
                histories = rows.histories(run)
            self.audit.consume(entries, installs)
            self.audit.accept_torn(polls=_TORN_AFTER_POLLS)
            self.since = until
            return live_report(self.audit.figures(), histories).to_json(run.key)


_runs: OrderedDict[int, _Live] = OrderedDict()
_runs_lock = threading.Lock()


def _live(run: Run) -> dict[str, Any]:
    with _runs_lock:
        live = _runs.setdefault(run.pk, _Live())
        _runs.move_to_end(run.pk)
        while len(_runs) > _LIVE_RUNS:
            _runs.popitem(last=False)
    return live.turn(run)


def _as_opened(run: Run) -> list[Account]:
    """Return the accounts with their opening heads: what the first install on each has replaced."""
    opening_heads: dict[int, UUID | None] = {}
    for install in rows.installs(run, run.open_transaction):
        opening_heads.setdefault(install.account, install.old_head)
    return [
        replace(account, head=opening_heads.get(account.id) or account.head, balance_cents=account.opening_cents)
        for account in rows.accounts(run)
    ]
