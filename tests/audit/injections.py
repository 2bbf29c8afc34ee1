"""Each kind of anomaly, put into a clean history by hand: the negative controls of the detectors.

An injection returns the dirty history, which findings of its own kind must be there (as account and entries), and how
often each kind must be found. What is not named must not be found.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from racelab_bank.audit.history import History
from racelab_bank.audit.rows import Account, Entry, Install, Read

#: No balance of a simulation is as low as this.
FAR_BELOW = -(10**9)

Finding = tuple[int | None, tuple[str, ...]]


@dataclass(frozen=True)
class Injected:
    history: History
    findings: set[Finding]
    counts: Mapping[str, int]


@dataclass
class Draft:
    """A history under change: one plain account of it, to which writes are added at the end."""

    history: History
    account: Account
    next_id: int = 1 << 90

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

    def create(self, owner: int, amount: int) -> Entry:
        """Add a request that creates an account for an owner with its first deposit."""
        self.open(owner=owner)
        entry = self.write(amount)
        created = [replace(one, old_head=None) if one.new_head == entry.id else one for one in self.history.installs]
        self.history = replace(self.history, installs=created)
        return entry

    def read(self, entry: Entry, account: Account) -> None:
        """Note that the operation of `entry` has seen an account like this."""
        self.history = replace(self.history, reads=[*self.history.reads, Read(entry.id, account.id, account.head)])

    def versions(self) -> list[Install]:
        own = (install for install in self.history.installs if install.account == self.account.id)
        return sorted(own, key=lambda install: install.sequence)

    def minimum(self, minimum_cents: int) -> None:
        self._update(replace(self.account, minimum_cents=minimum_cents))

    def _update(self, account: Account) -> None:
        accounts = [account if one.id == account.id else one for one in self.history.accounts]
        self.history = replace(self.history, accounts=accounts)
        self.account = account

    def entry(self, amount: int, before: int | None = None, previous: UUID | None = None, operation: str = "") -> Entry:
        """Add an entry without an install; computed unless it says what it read."""
        self.next_id += 1
        entry = Entry(
            id=UUID(int=self.next_id),
            leg=0,
            leg_count=1,
            account=self.account.id,
            operation=operation or f"injected {self.next_id}",
            amount_cents=amount,
            balance_before_cents=before,
            balance_after_cents=None if before is None else before + amount,
            previous=previous,
            strategy="injected",
            replica="bank-9",
            worker="1",
            transaction=1 << 40,
            read_at_microseconds=None,
            written_at_microseconds=1 << 50,
        )
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

    def write(self, amount: int, operation: str = "") -> Entry:
        """Add a correct computed write."""
        entry = self.entry(amount, operation=operation)
        self.install(entry.id, self.account.balance_cents + amount)
        return entry

    def stale_write(self, amount: int, seen: Account) -> Entry:
        """Add an absolute write, computed from the account as it was `seen`."""
        entry = self.entry(amount, seen.balance_cents, seen.head)
        self.install(entry.id, seen.balance_cents + amount)
        return entry

    def back_to(self, version: int) -> Account:
        """Return the account as it was before this version."""
        install = self.versions()[version]
        assert install.old_head is not None
        return replace(self.account, head=install.old_head, balance_cents=install.old_balance_cents)


def _overwritten(draft: Draft, random: Random) -> tuple[Entry, list[str]]:
    """Add a write, then one by somebody who slept through some writes or all of them: the culprit, and who is lost."""
    draft.minimum(FAR_BELOW)
    draft.write(random.randint(1, 100))
    versions = draft.versions()
    first = random.randrange(len(versions))
    by_id = {entry.id: entry.operation for entry in draft.history.entries}
    culprit = draft.stale_write(random.randint(1, 100), draft.back_to(first))
    return culprit, [by_id[install.new_head] for install in versions[first:]]


def lost_update(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    culprit, lost = _overwritten(draft, random)
    findings: set[Finding] = {(draft.account.id, (operation, culprit.operation)) for operation in lost}
    return Injected(draft.history, findings, {"lost_update": len(lost), "stale_install": 1})


def stale_install(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    culprit, lost = _overwritten(draft, random)
    listed = tuple([culprit.operation, *lost][:20])
    return Injected(draft.history, {(draft.account.id, listed)}, {"lost_update": len(lost), "stale_install": 1})


def visible_overdraft(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    sort = random.choice(["plain", "derived", "owned"])
    if sort == "plain":
        below = draft.account.balance_cents - draft.account.minimum_cents + random.randint(1, 100)
        entry = draft.write(-below)
        return Injected(draft.history, {(draft.account.id, (entry.operation,))}, {"visible_overdraft": 1})
    if sort == "derived":
        draft.open(derived=True, cents=10)
        draft.entry(-random.randint(11, 100))
        return Injected(draft.history, {(draft.account.id, ())}, {"visible_overdraft": 1})
    first = draft.open(owner=99, cents=50)
    draft.open(owner=99, cents=10)
    draft.write(-random.randint(61, 100))
    return Injected(draft.history, {(first.id, ())}, {"visible_overdraft": 1})


def hidden_overdraft(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    found = draft.account.id
    if random.random() < 0.5:
        found = draft.open(owner=99, cents=0).id
        draft.open(owner=99, cents=random.randint(0, 100))
    draft.write(random.randint(2, 100))
    seen = draft.account
    draft.write(seen.minimum_cents - seen.balance_cents)
    draft.stale_write(-1, seen)
    counts = {"hidden_overdraft": 1, "lost_update": 1, "stale_install": 1}
    return Injected(draft.history, {(found, ())}, counts)


def duplicate(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    first = draft.create(99, random.randint(1, 100))
    later = [draft.create(99, random.randint(1, 100)) for _ in range(random.randint(1, 3))]
    found: set[Finding] = {(one.account, (one.operation, first.operation)) for one in later}
    return Injected(draft.history, found, {"duplicate": len(later)})


def write_skew(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    one, other = (draft.open(owner=99, cents=100) for _ in range(2))
    draft.account = one
    first = draft.write(-random.randint(1, 100))
    draft.account = other
    second = draft.write(-random.randint(1, 100))
    draft.read(first, other)
    draft.read(second, one)
    return Injected(draft.history, {(one.id, (first.operation, second.operation))}, {"write_skew": 1})


def half_posting(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    whole = draft.write(random.randint(1, 100))
    half = replace(whole, leg=random.randint(0, 2), leg_count=3)
    dirty = replace(draft.history, entries=[half if one is whole else one for one in draft.history.entries])
    return Injected(dirty, {(draft.account.id, (half.operation,))}, {"half_posting": 1})


def torn_write(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    if random.random() < 0.5:
        draft.install(UUID(int=1 << 91), draft.account.balance_cents + random.randint(1, 100))
        return Injected(draft.history, {(draft.account.id, ())}, {"torn_write": 1})
    entry = draft.entry(random.randint(1, 100))
    return Injected(draft.history, {(draft.account.id, (entry.operation,))}, {"torn_write": 1})


def double_spend(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    again = random.choice(list(history.entries)).operation
    draft.write(random.randint(1, 100), operation=again)
    accounts = [entry.account for entry in history.entries if entry.operation == again and entry.leg == 0]
    return Injected(draft.history, {(accounts[0], (again,))}, {"double_spend": 1})


def outcome_mismatch(history: History, random: Random) -> Injected:
    applied = {entry.operation for entry in history.entries}
    changed = random.choice([one for one in history.operations if one.key in applied])
    others = [one for one in history.operations if one is not changed]
    if random.random() < 0.5:
        told = replace(changed, type="fail", outcome="refused", status=422, entry=None)
        dirty = replace(history, operations=[*others, told])
    else:
        absent = replace(changed, key="absent", entry=UUID(int=1 << 92))
        changed = absent
        dirty = replace(history, operations=[*history.operations, absent])
    return Injected(dirty, {(changed.account, (changed.key,))}, {"outcome_mismatch": 1})


INJECTIONS: Mapping[str, Callable[[History, Random], Injected]] = {
    one.__name__: one
    for one in (
        double_spend, duplicate, half_posting, hidden_overdraft, lost_update, outcome_mismatch, stale_install,
        torn_write, visible_overdraft, write_skew,
    )
}  # fmt: skip
