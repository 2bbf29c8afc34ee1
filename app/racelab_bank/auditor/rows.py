"""Reads a run's rows from PostgreSQL into the values that the audit knows."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from racelab_bank.audit.history import Account, Entry, Histories, History, Install, Operation
from racelab_bank.databases.postgresql import HORIZON
from racelab_bank.models import Generator, Run

_ACCOUNTS = """
SELECT id, opening_cents, balance_cents, minimum_cents, head FROM account WHERE run_id = %(run)s ORDER BY id"""

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

_OPERATIONS = """
SELECT generator, key, type, account, amount_cents, status, outcome, entry, replica, begin_microseconds,
    end_microseconds, error
FROM operation WHERE run = %(run)s ORDER BY sequence"""

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
    with connection.cursor() as cursor:
        cursor.execute(_OPERATIONS, {"run": run.pk})
        operations = [Operation(*row) for row in cursor.fetchall()]
    since = run.open_transaction
    return History(accounts(run), entries(run, since), installs(run, since), operations, histories(run))


def start_skew_microseconds(run: Run) -> int | None:
    """Return the largest start skew that a generator of the run has measured, or None."""
    skews = Generator.objects.filter(run=run).values_list("start_skew_microseconds", flat=True)
    return max((skew for skew in skews if skew is not None), default=None)
