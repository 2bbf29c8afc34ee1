"""What strategies are made of: read, wait for the window, write a balance, record the entry.

The account is always updated first and the entry inserted second: a refused operation, one that changed 0 rows, and one
on a closed run then leave no row at all.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db import DatabaseError, connections, transaction
from django.db.models import F

from racelab_bank.databases.postgresql import is_conflict, is_run_closed, refusal
from racelab_bank.entries import Recorder, Row, now_microseconds
from racelab_bank.errors import Conflict, Refused, RunClosed, UnknownAccount
from racelab_bank.models import Account, Run
from racelab_bank.posting import Applied, Leg, Opening, Posting, Seen, below_floor

if TYPE_CHECKING:
    from django.db.models.query import QuerySet

    from racelab_bank.strategies import Strategy

# A version check among many writers loses often; every loser's next attempt waits up to this long, doubled each time.
_FIRST_BACKOFF_SECONDS = 0.001
_LONGEST_BACKOFF_SECONDS = 0.1
# The lock keeps a run from being closed between the sum and the insert; it does not keep other inserts away.
_READ_SUMS = """
SELECT a.id, a.run_id, a.opening_cents + coalesce(
        (SELECT sum(e.amount_cents) FROM entry e WHERE e.account = a.id AND e.snapshot IS NOT NULL), 0)::bigint,
    a.minimum_cents, a.derived, a.closed, pg_current_snapshot()::text
FROM account a WHERE a.id = ANY(%s) ORDER BY a.id FOR KEY SHARE OF a"""


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
    _run_id: int | None = field(default=None, init=False)

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
        return self._seen(posting, self._accounts(posting.accounts))

    def read_locked(self, posting: Posting, *, no_key: bool = False, nowait: bool = False) -> Seen:
        """Lock and read the posting's accounts with one SELECT … FOR UPDATE, in order of their ids.

        `no_key` lets foreign keys to the rows be checked meanwhile; `nowait` refuses instead of waiting.
        Raises `UnknownAccount`.
        """
        accounts = self._accounts(posting.accounts)
        return self._seen(posting, accounts.select_for_update(no_key=no_key, nowait=nowait))

    def _seen(self, posting: Posting, accounts: "Iterable[Account]") -> Seen:
        seen = {account.pk: account for account in accounts}
        self.read_at_microseconds = now_microseconds()
        _one_run(posting.accounts, {account.pk: account.run_id for account in seen.values()})
        return seen

    def lock_until_commit(self, posting: Posting) -> None:
        """Take PostgreSQL's advisory lock of each account for the rest of the transaction, in order of their ids."""
        with connections[self.alias].cursor() as cursor:
            for account in posting.accounts:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [account])

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
                for account in posting.accounts:
                    cursor.execute("SELECT pg_advisory_lock(%s)", [account])
                    held.append(account)
            yield release
        finally:
            release()

    def write_absolute(self, posting: Posting, seen: Seen) -> Applied:
        """Save the balances that Python computed from what was read, whatever they are by now."""
        entry = uuid4()
        rows = {}
        for leg in self._order_of_writing(posting):
            account = seen[leg.account]
            before, previous = account.balance_cents, account.head
            account.balance_cents = before + leg.amount_cents
            account.head = entry
            account.version += 1
            account.save(using=self.alias, update_fields=["balance_cents", "head", "version"])
            rows[leg] = Row(leg, before, account.balance_cents, previous, account.version - 1)
        written = {leg.account for leg in posting.legs}
        reads = {one: seen[one].head for one in posting.guard if one not in written}
        return self._record(entry, [rows[leg] for leg in posting.legs], reads)

    def write_versioned(self, posting: Posting, seen: Seen) -> Applied | None:
        """Save the computed balance where the version is still the one that was read; None where it is not.

        For postings of one leg: were the second of two refused, the first would be there already.
        """
        (leg,) = posting.legs
        entry = uuid4()
        account = seen[leg.account]
        after = account.balance_cents + leg.amount_cents
        changed = (
            Account.objects.using(self.alias)
            .filter(pk=account.pk, version=account.version)
            .update(balance_cents=after, head=entry, version=account.version + 1)
        )
        if not changed:
            return None
        return self._record(entry, [Row(leg, account.balance_cents, after, account.head, account.version)])

    def write_computed(self, posting: Posting, *, seen: Seen | None = None) -> Applied:
        """Let the database add: `balance = balance + amount`. What Python had `seen` and checked is recorded, too."""
        self._look_first(posting)
        entry = uuid4()
        for leg in self._order_of_writing(posting):
            if not self._add(self._accounts([leg.account]), leg, entry):
                raise unknown(leg.account)
        reads = {one: seen[one].head for one in posting.checked} if seen else {}
        return self._record(entry, [Row(leg) for leg in posting.legs], reads)

    def write_conditional(self, posting: Posting) -> Applied:
        """Let the database check and add in one statement per leg; 0 rows is `Refused`."""
        self._look_first(posting)
        entry = uuid4()
        for leg in self._order_of_writing(posting):
            accounts = self._accounts([leg.account])
            if leg.floored:
                accounts = accounts.filter(balance_cents__gte=F("minimum_cents") - leg.amount_cents)
            if not self._add(accounts, leg, entry):
                if leg.floored and self._accounts([leg.account]).exists():
                    raise below_floor(leg)
                raise unknown(leg.account)
        return self._record(entry, [Row(leg) for leg in posting.legs])

    def _order_of_writing(self, posting: Posting) -> tuple[Leg, ...]:
        """Return the legs in the order of locks inside a transaction; outside, what may be refused comes first."""
        return posting.legs if connections[self.alias].in_atomic_block else posting.floored_first

    def _look_first(self, posting: Posting) -> None:
        """Look before the first of several statements: a missing account is not found with half the money moved."""
        if len(posting.legs) > 1:
            self._run_of(posting.accounts)

    @staticmethod
    def _add(accounts: "QuerySet[Account]", leg: Leg, entry: UUID) -> bool:
        added = F("balance_cents") + leg.amount_cents
        return bool(accounts.update(balance_cents=added, head=entry, version=F("version") + 1))

    def _record(self, entry: UUID, rows: list[Row], reads: dict[int, UUID] | None = None) -> Applied:
        recorder = Recorder(self.alias, self.operation, self.strategy)
        return recorder.record(entry, rows, reads or {}, self.read_at_microseconds)

    def read_sums(self, posting: Posting) -> "Sums":
        """Sum up the entries of accounts that keep no balance, in one statement.

        Raises `UnknownAccount`, `RunClosed`, and `Refused` for an account that keeps one.
        """
        with connections[self.alias].cursor() as cursor:
            cursor.execute(_READ_SUMS, [list(posting.accounts)])
            rows = cursor.fetchall()
        accounts = [
            Account(pk=pk, run_id=run, balance_cents=balance, minimum_cents=minimum, derived=derived, closed=closed)
            for pk, run, balance, minimum, derived, closed, _ in rows
        ]
        for account in accounts:
            if not account.derived:
                raise Refused(f"account {account.pk} keeps a balance: its entries alone do not say what is there")
            if account.closed:
                raise RunClosed(f"the run of account {account.pk} is closed")
        return Sums(self._seen(posting, accounts), rows[0][-1] if rows else "")

    def append(self, posting: Posting, sums: "Sums") -> Applied:
        """Insert the entries and nothing else: the balance is their sum."""
        rows = []
        for leg in posting.legs:
            before = sums.seen[leg.account].balance_cents
            rows.append(Row(leg, before, before + leg.amount_cents, snapshot=sums.snapshot))
        return self._record(uuid4(), rows)

    def find(self, opening: Opening) -> Account | None:
        """Select the owner's account, the oldest where there are several. Raises `UnknownAccount` without its run."""
        found = self._owned(opening).order_by("pk").first()
        self.read_at_microseconds = now_microseconds()
        return found

    def create(self, opening: Opening, *, unique_owner: bool = False) -> Applied:
        """Insert the owner's account with the amount in it. `unique_owner`: a constraint refuses a second one."""
        account = Account(
            run_id=self._run(opening), kind=opening.kind, owner=opening.owner, **_opened(opening, unique_owner)
        )
        account.save(using=self.alias, force_insert=True)
        return self._created(opening, account)

    def get_or_create(self, opening: Opening, *, unique_owner: bool = False) -> Applied:
        """Django's `get_or_create()`, with the window where it stands between its SELECT and its INSERT.

        An account that is there takes the amount. Raises `Refused` where `get()` finds several.
        """

        def in_window() -> UUID:
            self.read_at_microseconds = now_microseconds()
            self.wait_window()
            return uuid4()

        accounts = Account.objects.using(self.alias)
        defaults = _opened(opening, unique_owner) | {"head": in_window}
        try:
            account, created = accounts.get_or_create(
                run_id=self._run(opening), kind=opening.kind, owner=opening.owner, defaults=defaults
            )
        except Account.MultipleObjectsReturned:
            raise Refused(f"owner {opening.owner} has several accounts: get() cannot tell which is meant") from None
        if created:
            return self._created(opening, account)
        return self.write_computed(opening.deposit(account.pk))

    def _owned(self, opening: Opening) -> "QuerySet[Account]":
        return Account.objects.using(self.alias).filter(
            run_id=self._run(opening), kind=opening.kind, owner=opening.owner
        )

    def _run(self, opening: Opening) -> int:
        """Return the id of the opening's run, after a look at the accounts that belong to it."""
        if self._run_id is None:
            if isinstance(opening.run, int):
                accounts = (opening.run, *(leg.account for leg in opening.others))
                self._run_id = self._run_of(accounts)
            else:
                self._run_id = (
                    Run.objects.using(self.alias).filter(key=opening.run).values_list("pk", flat=True).first()
                )
        if self._run_id is None:
            raise UnknownAccount(f"there is no run {opening.run}")
        return self._run_id

    def _run_of(self, accounts: Sequence[int]) -> int:
        """Return the run of accounts. Raises `UnknownAccount`, and `Refused` where it is not one run."""
        return _one_run(accounts, dict(self._accounts(accounts).values_list("pk", "run_id")))

    def _created(self, opening: Opening, account: Account) -> Applied:
        for leg in opening.others:
            if not self._add(self._accounts([leg.account]), leg, account.head):
                raise unknown(leg.account)
        first = Row(Leg(account.pk, opening.amount_cents), 0, opening.amount_cents)
        return self._record(account.head, [first, *(Row(leg) for leg in opening.others)])


@dataclass(frozen=True, slots=True)
class Sums:
    """What the entries of accounts sum up to, and the snapshot of the statement that did: what it could not see."""

    seen: Seen
    snapshot: str


def _opened(opening: Opening, unique_owner: bool) -> dict[str, Any]:
    """Return the columns of an account that a request opens: nothing was there before the amount."""
    return {
        "opening_cents": 0,
        "balance_cents": opening.amount_cents,
        "head": uuid4(),
        "unique_owner": unique_owner,
    }


def _one_run(accounts: Sequence[int], runs: Mapping[int, int]) -> int:
    """Return the run of the accounts: `runs` by account, as found.

    Raises `UnknownAccount` for one that was not found, and `Refused` for accounts of several runs: each adds up alone.
    """
    for account in accounts:
        if account not in runs:
            raise unknown(account)
    if len(set(runs.values())) > 1:
        raise Refused(f"accounts {' and '.join(map(str, accounts))} belong to different runs")
    return runs[accounts[0]]


def unknown(account: int) -> UnknownAccount:
    """Return the error for an account that does not exist."""
    return UnknownAccount(f"there is no account {account}")
