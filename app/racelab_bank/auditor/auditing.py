"""Audits runs: live while they go on, finally once they are closed and everything on its way has arrived."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from racelab_bank.audit.jsonl.writing import write
from racelab_bank.audit.report import audit, page
from racelab_bank.audit.rows import Histories
from racelab_bank.auditor import following, rows
from racelab_bank.auditor.remembering import Newest
from racelab_bank.auditor.wholes import TURN, Whole, whole
from racelab_bank.models import Run

#: After closing, writers that autocommit may still be between their update and their entry. They get so long.
PATIENCE_SECONDS = 2.0

#: The last final audits of runs that miss histories, by run and the state of its histories: they are not stored, since
#: a history may still come.
_unstored: Newest[tuple[Any, ...], dict[str, Any]] = Newest(16)


def audit_run(run: Run, *, live: bool = False) -> dict[str, Any]:
    """Return the audit of docs/contracts.md: final when the run is closed and settled, live otherwise or when asked."""
    if live or run.closed_at is None:
        return following.live(run).report.to_json(run.key)
    if run.report is not None:
        return dict(run.report)
    with TURN:  # who waited for it need not do it again
        run.refresh_from_db(fields=["report"])
        return _final(run) if run.report is None else dict(run.report)


def _final(run: Run) -> dict[str, Any]:
    known = _unstored.get(_state(run, rows.histories(run)))
    if known is not None:
        return dict(known)
    with whole(run) as found:
        history, settled = found.history, _settled(run, found)
        report = audit(history, final=settled)
    told = report.to_json(run.key, start_skew_microseconds=rows.start_skew_microseconds(run))
    if settled and history.histories.missing() is None:
        Run.objects.filter(pk=run.pk).update(report=told)
    elif settled:
        _unstored[_state(run, history.histories)] = told
    return told


def _state(run: Run, histories: Histories) -> tuple[Any, ...]:
    return (run.identity, histories.complete, *sorted(histories.lost.items()))


def anomalies(run: Run, offset: int, limit: int) -> dict[str, Any]:
    """Return a page of the run's anomalies, and how many there are."""
    with whole(run) as found:
        settled = run.closed_at is not None and _settled(run, found)
        count, listed = page(found.history, final=settled, offset=offset, limit=limit)
        return {"run": run.key, "count": count, "anomalies": [anomaly.to_json() for anomaly in listed]}


def accounts(run: Run, limit: int) -> dict[str, Any]:
    """Return the run's accounts that have entries, those with the largest drift first, and how many there are."""
    figures = following.accounts(run)
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


def _settled(run: Run, found: Whole) -> bool:
    """Whether nothing is on its way: all transactions older than the close have ended, and no half is awaited."""
    assert run.closed_at is not None  # noqa: S101 - callers look first
    if found.horizon <= int(run.close_transaction or 0):
        return False
    if (found.taken_at - run.closed_at).total_seconds() > PATIENCE_SECONDS:
        return True
    versions, postings = found.history.versions, found.history.postings
    complete = postings.legs == found.history.tables.entries.leg_count.values[postings.first]
    return bool(versions.has_entry.all() and complete.all())


def export(run: Run) -> Iterator[bytes]:
    """Return the lines of the run's history file, as it is now."""
    with whole(run) as found:
        history = found.history
    return write(history, run.key, scenario=run.scenario, strategy=run.strategy, isolation=run.isolation)
