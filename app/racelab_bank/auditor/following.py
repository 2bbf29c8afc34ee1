"""Follows runs while they go on: one live audit per run, shared by all who ask."""

import threading
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from racelab_bank.audit.live import LiveAudit
from racelab_bank.audit.live_account import AccountFigures
from racelab_bank.audit.live_figures import RecentStaleInstall
from racelab_bank.audit.report import AuditReport, live_report
from racelab_bank.audit.rows import Account
from racelab_bank.auditor import rows
from racelab_bank.auditor.remembering import Newest
from racelab_bank.auditor.sampling import Sample, added
from racelab_bank.entries import now_microseconds
from racelab_bank.models import Run

#: How many runs' live audits are kept; another one starts again from its run's first row.
_LIVE_RUNS = 64

#: A half whose other half has not come for so many polls is given up on: its writer was killed between the two.
_TORN_AFTER_POLLS = 50


@dataclass(frozen=True, slots=True)
class Live:
    """A run's live figures now.

    `samples` are what they were, oldest first; `stale_installs` the last ones, newest first. `highest`: how many
    anomalies of each kind there have been at most, as a live count may fall again. `served`: how many entries each
    replica has written. `lag_seconds`: how old what was written and is not counted yet can be.
    """

    report: AuditReport
    samples: tuple[Sample, ...]
    stale_installs: tuple[RecentStaleInstall, ...]
    served: Mapping[str, int]
    highest: Mapping[str, int]
    lag_seconds: float


def live(run: Run) -> Live:
    """Read what has become visible of a run, and tell. The cost does not grow with the ledger."""
    return _followed(run).turn(run)


def is_followed(run: Run) -> bool:
    """Whether the next `live` need not read the run from its first row."""
    with _runs_lock:
        return run.identity in _runs


def highest(run: Run) -> Mapping[str, int]:
    """Return how many anomalies of each kind there have been at most, without looking again."""
    with _runs_lock:
        found = _runs.get(run.identity)
    return {} if found is None else dict(found.highest)


def accounts(run: Run) -> list[AccountFigures]:
    """Read what has become visible of a run, and return the figures of each account that has entries."""
    return _followed(run).accounts(run)


class _Followed:
    """One run's live audit, and up to which transaction it has read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._audit = LiveAudit([])
        self._since = 0
        self._samples: tuple[Sample, ...] = ()
        self.highest: dict[str, int] = {}
        self._polled_at: Newest[int, float] = Newest(_TORN_AFTER_POLLS + 1)

    def turn(self, run: Run) -> Live:
        """Read what has become visible, and report."""
        with self._lock:
            waiting_seconds = self._read(run)
            figures = self._audit.figures()
            report = live_report(figures, rows.histories(run))
            for kind, number in report.anomalies.items():
                self.highest[kind] = max(number, self.highest.get(kind, 0))
            self._samples = added(
                self._samples,
                Sample(
                    now_microseconds(),
                    figures.ledger_total_cents,
                    figures.balance_cents,
                    figures.drift_cents,
                    figures.absolute_drift_cents,
                    figures.entries,
                    figures.lost,
                    figures.culprits,
                ),
            )
            audit = self._audit
            lag_seconds = max(waiting_seconds, self._held_seconds())
            return Live(report, self._samples, audit.recent, audit.served, dict(self.highest), lag_seconds)

    def accounts(self, run: Run) -> list[AccountFigures]:
        """Read what has become visible, and return the figures of each account that has entries."""
        with self._lock:
            self._read(run)
            return list(self._audit.accounts())

    def _read(self, run: Run) -> float:
        """Take in what has become visible; return for how long the oldest open transaction has kept back the rest."""
        with rows.snapshot():
            until = rows.horizon()
            since = str(max(self._since, int(run.open_transaction)))
            entries, installs = rows.entries(run, since, str(until)), rows.installs(run, since, str(until))
            if rows.account_count(run) != len(self._audit.followed):
                self._audit.add(_as_opened(run, since, self._audit.followed))
            waiting_seconds = rows.oldest_transaction_seconds()
        self._audit.consume(entries, installs)
        self._audit.accept_torn(polls=_TORN_AFTER_POLLS)
        self._since = until
        self._polled_at[self._audit.polls] = time.monotonic()
        return waiting_seconds

    def _held_seconds(self) -> float:
        """Return for how long the oldest row that waits for its other half has been here."""
        poll = self._audit.oldest_held_poll
        if poll is None:
            return 0.0
        now = time.monotonic()
        return now - self._polled_at.get(poll, next(iter(self._polled_at.values()), now))


_runs: Newest[tuple[int, str], _Followed] = Newest(_LIVE_RUNS)
_runs_lock = threading.Lock()


def _followed(run: Run) -> _Followed:
    with _runs_lock:
        found = _runs[run.identity] = _runs.get(run.identity) or _Followed()
    return found


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
