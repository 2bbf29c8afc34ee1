"""A history under change, to which writes are added by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from racelab_bank.audit.history import History
from racelab_bank.audit.rows import Account, Entry, Install, Operation, Read

#: No balance of a simulation is as low as this.
FAR_BELOW = -(10**9)

Finding = tuple[int | None, tuple[str, ...]]


@dataclass(frozen=True)
class Injected:
    """A dirty history, and what must be found in it; see `injections`."""

    history: History
    findings: set[Finding]
    counts: Mapping[str, int]


@dataclass
class Posting:
    """An operation of several legs, or one that reads before it writes: its legs are written one by one."""

    id: UUID
    operation: str
    leg_count: int
    replica: str
    read_at_microseconds: int | None
    written: int = 0


@dataclass
class Draft:
    """A history under change: one plain account of it, to which writes are added at the end."""

    history: History
    account: Account
    next_id: int = 1 << 90
    #: A Unix time, later than that of any simulation. Whatever happens takes a millisecond.
    clock: int = 1_700_000_000_000_000

    @classmethod
    def of(cls, history: History, random: Random) -> "Draft":
        plain = [one for one in history.accounts if one.owner is None and not one.derived]
        return cls(history, random.choice(plain))

    def open(self, *, owner: int | None = None, derived: bool = False, cents: int = 0) -> Account:
        """Open another account of the run, with `cents` on it, and change that one from now on."""
        number = 1 + max(one.id for one in self.history.accounts)
        head = UUID(int=(1 << 95) + number)
        self.account = Account(number, cents, cents, 0, head, owner, derived)
        self.history = replace(self.history, accounts=[*self.history.accounts, self.account])
        return self.account

    def on(self, number: int) -> Account:
        """Change this account from now on, and return it as it is."""
        self.account = next(one for one in self.history.accounts if one.id == number)
        return self.account

    def create(self, owner: int, amount: int) -> Entry:
        """Add a request that creates an account for an owner with its first deposit."""
        self.open(owner=owner)
        entry = self.write(amount)
        created = [replace(one, old_head=None) if one.new_head == entry.id else one for one in self.history.installs]
        self.history = replace(self.history, installs=created)
        return entry

    def posting(self, legs: int = 1, operation: str = "", replica: str = "bank-9") -> Posting:
        """Begin an operation that reads now, and whose legs are given one by one, as `of=` this."""
        self.next_id += 1
        self.clock += 1_000
        return Posting(UUID(int=self.next_id), operation or f"injected {self.next_id}", legs, replica, self.clock)

    def read(self, reader: Entry | Posting, account: Account) -> None:
        """Note that an operation has seen an account like this."""
        self.history = replace(self.history, reads=[*self.history.reads, Read(reader.id, account.id, account.head)])

    def told(self, entry: Entry, begin: int, end: int, *, generator: int = 0, named: bool = True) -> None:
        """Note that a generator was told, at `end`, that this was applied; `named`: it was also told the entry."""
        told = Operation(
            generator=generator,
            key=entry.operation,
            type="ok",
            account=entry.account,
            amount_cents=entry.amount_cents,
            status=200,
            outcome="applied",
            entry=entry.id if named else None,
            replica=entry.replica,
            begin_microseconds=begin,
            end_microseconds=end,
            error=None,
        )
        self.history = replace(self.history, operations=[*self.history.operations, told])

    def timed_out(self, entry: Entry, begin: int, end: int) -> None:
        """Note that the generator gave up, at `end`, and does not know that this was applied."""
        self.told(entry, begin, end, named=False)
        *others, told = self.history.operations
        unknown = replace(told, type="info", status=None, outcome=None, replica=None, error="timeout")
        self.history = replace(self.history, operations=[*others, unknown])

    def versions(self) -> list[Install]:
        own = (install for install in self.history.installs if install.account == self.account.id)
        return sorted(own, key=lambda install: install.sequence)

    def minimum(self, minimum_cents: int) -> None:
        self._update(replace(self.account, minimum_cents=minimum_cents))

    def _update(self, account: Account) -> None:
        accounts = [account if one.id == account.id else one for one in self.history.accounts]
        self.history = replace(self.history, accounts=accounts)
        self.account = account

    def entry(self, amount: int, seen: Account | None = None, operation: str = "", of: Posting | None = None) -> Entry:
        """Add an entry without an install; computed, unless it says how it had `seen` the account."""
        of = replace(self.posting(1, operation), read_at_microseconds=None) if of is None else of
        self.clock += 1_000
        summed = sum(one.account == self.account.id for one in self.history.entries) if self.account.derived else None
        entry = Entry(
            id=of.id,
            leg=of.written,
            leg_count=of.leg_count,
            account=self.account.id,
            operation=of.operation,
            amount_cents=amount,
            balance_before_cents=None if seen is None else seen.balance_cents,
            balance_after_cents=None if seen is None else seen.balance_cents + amount,
            previous=None if seen is None else seen.head,
            strategy="injected",
            replica=of.replica,
            worker="1",
            transaction=1 << 40,
            read_at_microseconds=of.read_at_microseconds,
            written_at_microseconds=self.clock,
            seen_entries=summed,
        )
        of.written += 1
        self.history = replace(self.history, entries=[*self.history.entries, entry])
        return entry

    def install(self, head: UUID, balance: int) -> Install:
        """Put a balance on the account."""
        sequence = 1 + max((install.sequence for install in self.history.installs), default=0)
        now = self.account
        install = Install(sequence, now.id, now.head, head, now.balance_cents, balance, transaction=1 << 40)
        self.history = replace(self.history, installs=[*self.history.installs, install])
        self._update(replace(now, head=head, balance_cents=balance))
        return install

    def write(self, amount: int, operation: str = "", of: Posting | None = None) -> Entry:
        """Add a correct computed write."""
        entry = self.entry(amount, operation=operation, of=of)
        self.install(entry.id, self.account.balance_cents + amount)
        return entry

    def stale_write(self, amount: int, seen: Account, of: Posting | None = None) -> Entry:
        """Add an absolute write, computed from the account as it was `seen`."""
        entry = self.entry(amount, seen, of=of)
        self.install(entry.id, seen.balance_cents + amount)
        return entry

    def back_to(self, version: int) -> Account:
        """Return the account as it was before this version."""
        install = self.versions()[version]
        assert install.old_head is not None
        return replace(self.account, head=install.old_head, balance_cents=install.old_balance_cents)


def overwritten(draft: Draft, random: Random) -> tuple[Entry, list[str]]:
    """Add a write, then one by somebody who slept through some writes or all of them: the culprit, and who is lost."""
    draft.minimum(FAR_BELOW)
    draft.write(random.randint(1, 100))
    versions = draft.versions()
    first = random.randrange(len(versions))
    by_id = {entry.id: entry.operation for entry in draft.history.entries}
    culprit = draft.stale_write(random.randint(1, 100), draft.back_to(first))
    return culprit, [by_id[install.new_head] for install in versions[first:]]
