"""Reads a run's rows from PostgreSQL into the values that the audit knows."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from racelab_bank import models
from racelab_bank.audit.history import History
from racelab_bank.audit.rows import Account, Entry, Histories, Install
from racelab_bank.auditor import loading
from racelab_bank.databases.postgresql import HORIZON
from racelab_bank.models import Generator, Run

_ACCOUNTS = """
SELECT id, opening_cents, balance_cents, minimum_cents, head, owner, derived FROM account WHERE run_id = %(run)s
ORDER BY id"""

_ACCOUNT_COUNT = "SELECT count(*) FROM account WHERE run_id = %(run)s"

# A run's rows were all written after it was opened: the index on `transaction` skips everything older.
_ENTRIES = """
SELECT e.id, e.leg, e.leg_count, e.account, e.operation, e.amount_cents, e.balance_before_cents, e.balance_after_cents,
    e.previous, e.strategy, e.replica, e.worker, e.transaction::text::bigint, e.read_at_microseconds,
    e.written_at_microseconds
FROM entry e JOIN account a ON a.id = e.account
WHERE a.run_id = %(run)s AND e.transaction >= %(since)s::xid8 AND e.transaction < %(until)s::xid8 ORDER BY e.sequence"""

_INSTALLS = """
SELECT i.sequence, i.account, i.old_head, i.new_head, i.old_balance_cents, i.new_balance_cents,
    i.transaction::text::bigint
FROM install i JOIN account a ON a.id = i.account
WHERE a.run_id = %(run)s AND i.transaction >= %(since)s::xid8 AND i.transaction < %(until)s::xid8 ORDER BY i.sequence"""

# How many entries share their recorded balance with an earlier one of their account, and what makes that misleading.
_DUPLICATE_BALANCES = """
SELECT coalesce(sum(recorded - different), 0)::bigint, coalesce(sum(entries - recorded), 0)::bigint,
    coalesce(bool_or(sizes > 1 OR least_cents = 0 AND most_cents = 0), false),
    coalesce(bool_or(least_cents < 0 AND most_cents > 0), false), coalesce(bool_or(derived), false),
    coalesce(bool_or(NOT derived AND sizes = 1 AND entries = recorded AND furthest_cents <> balance_cents), false)
FROM (
    SELECT a.derived, a.balance_cents, count(*) AS entries, count(e.balance_after_cents) AS recorded,
        count(DISTINCT e.balance_after_cents) AS different, count(DISTINCT abs(e.amount_cents)) AS sizes,
        min(e.amount_cents) AS least_cents, max(e.amount_cents) AS most_cents,
        CASE WHEN min(e.amount_cents) > 0 THEN max(e.balance_after_cents)
            WHEN max(e.amount_cents) < 0 THEN min(e.balance_after_cents) END AS furthest_cents
    FROM entry e JOIN account a ON a.id = e.account
    WHERE a.run_id = %(run)s AND e.transaction >= %(since)s::xid8 GROUP BY a.id
) per_account"""

_ENTRIES_BY_REPLICA = """
SELECT e.replica, count(*) FROM entry e JOIN account a ON a.id = e.account
WHERE a.run_id = %(run)s AND e.transaction >= %(since)s::xid8 GROUP BY e.replica ORDER BY e.replica"""

# Only transactions that have an id keep back the horizon.
_OLDEST_TRANSACTION_SECONDS = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float
FROM pg_stat_activity WHERE backend_xid IS NOT NULL"""

_EVERYTHING = str(2**63 - 1)


@contextmanager
def snapshot() -> Iterator[None]:
    """One consistent view of the database for all statements within."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def horizon() -> int:
    """Return the transaction id below which every transaction has ended."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {HORIZON}::text::bigint")
        (value,) = cursor.fetchone() or (0,)
    return int(value)


def accounts(run: Run) -> list[Account]:
    """Return the run's accounts as they are now."""
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNTS, {"run": run.pk})
        return [Account(*row) for row in cursor.fetchall()]


def account_count(run: Run) -> int:
    """Return how many accounts the run has now."""
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNT_COUNT, {"run": run.pk})
        (value,) = cursor.fetchone() or (0,)
    return int(value)


def entries(run: Run, since: str, until: str = _EVERYTHING) -> list[Entry]:
    """Return the run's entries written by transactions from `since` to below `until`."""
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, {"run": run.pk, "since": since, "until": until})
        return [Entry(*row) for row in cursor.fetchall()]


def installs(run: Run, since: str, until: str = _EVERYTHING) -> list[Install]:
    """Return the run's installs by transactions from `since` to below `until`, in version order."""
    with connection.cursor() as cursor:
        cursor.execute(_INSTALLS, {"run": run.pk, "since": since, "until": until})
        return [Install(*row) for row in cursor.fetchall()]


def entries_by_replica(run: Run) -> dict[str, int]:
    """Return how many of the run's entries each replica has written."""
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES_BY_REPLICA, {"run": run.pk, "since": run.open_transaction})
        return dict(cursor.fetchall())


def oldest_transaction_seconds() -> float:
    """Return for how long the oldest transaction that writes has been open; 0 when none is.

    What transactions from it on have written is above the horizon: it is at most so old.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_TRANSACTION_SECONDS)
        (seconds,) = cursor.fetchone() or (0.0,)
    return float(seconds)


def owners(ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return what accounts are and whose, by their ids: `kind`, `owner` and `user`; None where there is none."""
    found = models.Account.objects.filter(pk__in=list(ids)).values_list("pk", "kind", "owner", "user__username")
    return {account: {"kind": kind, "owner": owner, "user": user} for account, kind, owner, user in found}


def histories(run: Run) -> Histories:
    """Return which of the run's histories are there."""
    generators = list(Generator.objects.filter(run=run))
    return Histories(
        expected=run.generators,
        complete=frozenset(one.index for one in generators if one.history == Generator.History.COMPLETE),
        lost={one.index: one.reason for one in generators if one.history == Generator.History.LOST},
    )


def history(run: Run) -> History:
    """Return the whole run. Call it within a `snapshot`."""
    accounts, entries, installs, operations, reads = loading.tables(run)
    return History(accounts, entries, installs, operations, histories(run), reads)


@dataclass(frozen=True, slots=True)
class DuplicateBalances:
    """How many entries share their recorded balance with an earlier entry of their account, over all accounts.

    `unrecorded` entries have no balance. The rest says that on some account the amounts `differ`, apart from their
    signs, or are all 0; that some raise it and some lower it; that it is derived; that a balance was `put_back`: all
    amounts are the same, and it has another balance than the furthest one that was recorded.
    """

    duplicates: int
    unrecorded: int
    differ: bool
    mix: bool
    derived: bool
    put_back: bool


def duplicate_balances(run: Run) -> DuplicateBalances:
    """Count the run's entries that share a recorded balance."""
    with connection.cursor() as cursor:
        cursor.execute(_DUPLICATE_BALANCES, {"run": run.pk, "since": run.open_transaction})
        return DuplicateBalances(*cursor.fetchone())


def start_skew_microseconds(run: Run) -> int | None:
    """Return the largest start skew that a generator of the run has measured, or None."""
    skews = Generator.objects.filter(run=run).values_list("start_skew_microseconds", flat=True)
    return max((skew for skew in skews if skew is not None), default=None)
