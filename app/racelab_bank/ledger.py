"""What strategies are made of: read, wait for the window, write a balance, record the entry.

The account is always updated first and the entry inserted second: a refused operation, one that changed 0 rows, and one
on a closed run then leave no row at all.
"""

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.db.models import F

from racelab_bank.databases.postgresql import is_conflict, is_run_closed, refusal
from racelab_bank.errors import Conflict, Refused, RunClosed, UnknownAccount
from racelab_bank.models import Account
from racelab_bank.posting import Applied, Leg, Posting, Seen, below_floor

if TYPE_CHECKING:
    from django.db.models.query import QuerySet

    from racelab_bank.strategies import Strategy

# A version check among many writers loses often; every loser's next attempt waits up to this long, doubled each time.
_FIRST_BACKOFF_SECONDS = 0.001
_LONGEST_BACKOFF_SECONDS = 0.1

_INSERT_ENTRY = """
INSERT INTO entry (id, leg, leg_count, account, operation, amount_cents, balance_before_cents, balance_after_cents,
    previous, version_before, replica, worker, strategy, read_at_microseconds, written_at_microseconds)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""

_INSERT_READ = "INSERT INTO read (entry, account, seen_head) VALUES (%s, %s, %s)"


def now_microseconds() -> int:
    """Return the Unix time in microseconds."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Bank:
    """One operation's way to the database.

    `alias` is the database alias, and so the isolation level; `window` pauses at the vulnerable point; `operation` is
    the caller's key and `strategy` the name recorded with its entries. `retries` counts what the strategy repeated.
    """

    alias: str
    operation: str
    strategy: str
    window: Callable[[], None]
    retries: int = 0
    read_at_microseconds: int | None = field(default=None, init=False)

    def apply(self, strategy: "Strategy", posting: Posting) -> Applied:
        """Apply a posting in the strategy's way.

        What the database refuses is raised as `Conflict`, `Refused` or `RunClosed`; its real failures stay as they are.
        """
        try:
            return strategy.apply(posting, self)
        except DatabaseError as error:
            if is_conflict(error):
                raise Conflict(str(error).strip().splitlines()[0]) from error
            if is_run_closed(error):
                raise RunClosed("the run of this account is closed") from error
            if reason := refusal(error):
                raise Refused(f"refused by the database: {reason}") from error
            raise

    def transaction(self) -> AbstractContextManager[None]:
        """Open the one outermost transaction. `atomic()` without `using` would autocommit on the other aliases."""
        return transaction.atomic(using=self.alias, durable=True)

    def attempts(self, limit: int) -> Iterator[int]:
        """Count attempts up to `limit`, with jittered, doubling pauses between them."""
        for attempt in range(limit):
            if attempt:
                self.retries += 1
                longest = min(_FIRST_BACKOFF_SECONDS * 2**attempt, _LONGEST_BACKOFF_SECONDS)
                time.sleep(random.uniform(0, longest))  # noqa: S311 - jitter, not a secret
            yield attempt

    def wait_window(self) -> None:
        """Pause at the strategy's vulnerable point."""
        self.window()

    def _accounts(self, ids: Iterable[int]) -> "QuerySet[Account]":
        return Account.objects.using(self.alias).filter(pk__in=tuple(ids)).order_by("pk")

    def read(self, posting: Posting) -> Seen:
        """Read the posting's accounts in one statement. Raises `UnknownAccount`."""
        return self._seen(posting, self._accounts(leg.account for leg in posting.legs))

    def read_locked(self, posting: Posting, *, no_key: bool = False, nowait: bool = False) -> Seen:
        """Lock and read the posting's accounts with one SELECT … FOR UPDATE, in order of their ids.

        `no_key` lets foreign keys to the rows be checked meanwhile; `nowait` refuses instead of waiting.
        Raises `UnknownAccount`.
        """
        accounts = self._accounts(leg.account for leg in posting.legs)
        return self._seen(posting, accounts.select_for_update(no_key=no_key, nowait=nowait))

    def _seen(self, posting: Posting, accounts: "QuerySet[Account]") -> Seen:
        seen = {account.pk: account for account in accounts}
        self.read_at_microseconds = now_microseconds()
        for leg in posting.legs:
            if leg.account not in seen:
                raise unknown(leg.account)
        return seen

    def lock_until_commit(self, posting: Posting) -> None:
        """Take PostgreSQL's advisory lock of each account for the rest of the transaction, in order of their ids."""
        with connections[self.alias].cursor() as cursor:
            for leg in posting.legs:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [leg.account])

    @contextmanager
    def session_lock(self, posting: Posting) -> Iterator[Callable[[], None]]:
        """Hold the accounts' advisory locks for the session, whatever transactions do; calling the value frees them."""
        held: list[int] = []

        def release() -> None:
            with connections[self.alias].cursor() as cursor:
                while held:
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [held[-1]])
                    held.pop()

        try:
            with connections[self.alias].cursor() as cursor:
                for leg in posting.legs:
                    cursor.execute("SELECT pg_advisory_lock(%s)", [leg.account])
                    held.append(leg.account)
            yield release
        finally:
            release()

    def write_absolute(self, posting: Posting, seen: Seen) -> Applied:
        """Save the balances that Python computed from what was read, whatever they are by now."""
        entry = uuid4()
        rows = []
        for leg in posting.legs:
            account = seen[leg.account]
            before, previous = account.balance_cents, account.head
            account.balance_cents = before + leg.amount_cents
            account.head = entry
            account.version += 1
            account.save(using=self.alias, update_fields=["balance_cents", "head", "version"])
            rows.append(_Row(leg, before, account.balance_cents, previous, account.version - 1))
        return self._record(entry, rows)

    def write_versioned(self, posting: Posting, seen: Seen) -> Applied | None:
        """Save the computed balances where the version is still the one that was read; None where it is not."""
        entry = uuid4()
        rows = []
        for leg in posting.legs:
            account = seen[leg.account]
            after = account.balance_cents + leg.amount_cents
            changed = (
                Account.objects.using(self.alias)
                .filter(pk=account.pk, version=account.version)
                .update(balance_cents=after, head=entry, version=account.version + 1)
            )
            if not changed:
                return None
            rows.append(_Row(leg, account.balance_cents, after, account.head, account.version))
        return self._record(entry, rows)

    def write_computed(self, posting: Posting, *, seen: Seen | None = None) -> Applied:
        """Let the database add: `balance = balance + amount`. What Python had `seen` before is recorded as a read."""
        entry = uuid4()
        for leg in posting.legs:
            if not self._add(self._accounts([leg.account]), leg, entry):
                raise unknown(leg.account)
        return self._record(entry, [_Row(leg) for leg in posting.legs], seen or {})

    def write_conditional(self, posting: Posting) -> Applied:
        """Let the database check and add in one statement; 0 rows is `Refused`."""
        entry = uuid4()
        for leg in posting.legs:
            accounts = self._accounts([leg.account])
            if leg.floored:
                accounts = accounts.filter(balance_cents__gte=F("minimum_cents") - leg.amount_cents)
            if not self._add(accounts, leg, entry):
                if leg.floored and self._accounts([leg.account]).exists():
                    raise below_floor(leg)
                raise unknown(leg.account)
        return self._record(entry, [_Row(leg) for leg in posting.legs])

    @staticmethod
    def _add(accounts: "QuerySet[Account]", leg: Leg, entry: UUID) -> bool:
        added = F("balance_cents") + leg.amount_cents
        return bool(accounts.update(balance_cents=added, head=entry, version=F("version") + 1))

    def _record(self, entry: UUID, rows: "list[_Row]", seen: Seen | None = None) -> Applied:
        written_at = now_microseconds()
        worker = str(os.getpid())
        with connections[self.alias].cursor() as cursor:
            for number, row in enumerate(rows):
                cursor.execute(
                    _INSERT_ENTRY,
                    (entry, number, len(rows), row.leg.account, self.operation, row.leg.amount_cents, row.before_cents,
                     row.after_cents, row.previous, row.version, settings.RACELAB_REPLICA, worker, self.strategy,
                     self.read_at_microseconds, written_at),
                )  # fmt: skip
            for account in (seen or {}).values():
                cursor.execute(_INSERT_READ, (entry, account.pk, account.head))
        return Applied(entry, rows[0].before_cents, rows[0].after_cents)


@dataclass(frozen=True, slots=True)
class _Row:
    """What an entry records of one leg; None where the database computed the balance."""

    leg: Leg
    before_cents: int | None = None
    after_cents: int | None = None
    previous: UUID | None = None
    version: int | None = None


def unknown(account: int) -> UnknownAccount:
    """Return the error for an account that does not exist."""
    return UnknownAccount(f"there is no account {account}")
