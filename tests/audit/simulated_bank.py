"""A bank in a few lines, run by a schedule: what concurrent writers would leave in the ledger, and what truly happened.

The oracle does not look at heads or versions. Every balance carries with it the set of entries that it is made of: a
writer that computes from what it read passes on the set it read. What is in no final set is lost, whatever the rows
say.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from racelab_bank.audit.history import History
from racelab_bank.audit.rows import Account, Entry, Histories, Install, Operation, Read

#: "checked" looks at the floor first and lets the database add afterwards.
Way = Literal["naive", "checked", "locked", "computed", "conditional"]
Fault = Literal["no entry", "no install"]

MINIMUM_CENTS = 0
#: Ids of opening heads begin here, ids of entries at 1.
OPENING_HEADS = 1 << 100


@dataclass(frozen=True)
class Leg:
    account: int
    amount_cents: int


@dataclass(frozen=True)
class Write:
    """One operation: its legs, how it writes, and which half of the write a crash takes away.

    `apart`: it reads and writes one account after the other, and lets others in between.
    """

    legs: tuple[Leg, ...]
    way: Way
    fault: Fault | None = None
    apart: bool = False


@dataclass
class Balance:
    """An account in the simulation. `made_of` are the entries that the balance truly contains.

    `version` counts installs, and the entries of a derived account.
    """

    cents: int
    head: UUID
    version: int = 0
    made_of: frozenset[UUID] = frozenset()


@dataclass
class Truth:
    """What happened, by account id or entry id."""

    overwritten: dict[UUID, set[UUID]] = field(default_factory=dict)  # by stale writer, not yet cut down to victims
    overdrawn: set[int] = field(default_factory=set)
    torn: int = 0
    torn_accounts: set[int] = field(default_factory=set)
    saw: dict[UUID, dict[int, int]] = field(default_factory=dict)  # by writer, the versions of accounts it only read
    wrote: dict[tuple[int, int], UUID] = field(default_factory=dict)  # by account and version


class Simulation:
    """Plays writes in the order that a schedule of picks gives; `workers` writes are in flight at once.

    Accounts of one owner back each other: a writer checks them together. `derived` accounts have entries only; those
    that are `created` come into being with the first balance that is put on them.
    """

    def __init__(
        self,
        openings: Sequence[int],
        *,
        owners: Mapping[int, int] | None = None,
        derived: Collection[int] = (),
        created: Collection[int] = (),
    ) -> None:
        self.owners = owners or {}
        self.derived = frozenset(derived)
        self.created = frozenset(created)
        self.openings = {
            account: 0 if account in self.created else cents for account, cents in enumerate(openings, start=1)
        }
        self.balances = {
            account: Balance(cents, UUID(int=OPENING_HEADS + account)) for account, cents in self.openings.items()
        }
        self.entries: list[Entry] = []
        self.installs: list[Install] = []
        self.reads: list[Read] = []
        self.operations: list[Operation] = []
        self.truth = Truth()
        self.clock = 1_000_000

    def play(self, writes: Sequence[Write], picks: Sequence[int], workers: int) -> "Simulation":
        waiting = [self._perform(key, write, worker=str(key % workers)) for key, write in enumerate(writes)]
        flying, waiting = waiting[:workers], waiting[workers:]
        pick = iter(picks)
        while flying:
            chosen = flying[next(pick, 0) % len(flying)]
            self.clock += 1_000
            if next(chosen, None) is None:
                flying.remove(chosen)
                if waiting:
                    flying.append(waiting.pop(0))
        return self

    def _perform(self, key: int, write: Write, worker: str) -> Iterator[str]:
        """Do one write step by step; each `yield` lets others in."""
        begin = self.clock
        seen: dict[int, Balance] = {}
        for account in sorted({account for leg in write.legs for account in self._backing(leg.account)}):
            if seen and write.apart and write.way in ("naive", "checked"):
                yield "read one"
            seen[account] = self._read(account)
        read_at = self.clock
        if write.way in ("naive", "checked"):
            yield "read"
        if write.way != "computed" and any(self._falls(leg.account, write.legs, seen) for leg in write.legs):
            self._answer(key, write, begin, None)
            return
        entry = UUID(int=key + 1)
        # Nobody computes from the balance of an account that is not there yet.
        unborn = any(self._unborn(account, balance) for account, balance in seen.items())
        computed = unborn or write.way in ("computed", "conditional", "checked")
        late: list[Entry] = []
        for number, leg in enumerate(write.legs):
            if number and write.apart and write.way != "locked":
                yield "wrote one"
            now = self._read(leg.account)
            base = seen[leg.account] if write.way in ("naive", "checked") else now
            before = None if computed else base
            row = self._entry(key, write, number, before=before, read_at=read_at, worker=worker)
            if leg.account in self.derived:
                self._append(replace(row, seen_entries=base.version), write.fault)
            else:
                late.append(row)
                self._install(entry, leg, before, write.fault)
        if write.way != "locked":
            yield "installed"
        if write.fault != "no entry":
            self.entries += late
            self._looked(entry, write, seen)
        self._answer(key, write, begin, entry)

    def _entry(
        self, key: int, write: Write, number: int, *, before: Balance | None, read_at: int, worker: str
    ) -> Entry:
        leg = write.legs[number]
        return Entry(
            id=UUID(int=key + 1),
            leg=number,
            leg_count=len(write.legs),
            account=leg.account,
            operation=str(key),
            amount_cents=leg.amount_cents,
            balance_before_cents=None if before is None else before.cents,
            balance_after_cents=None if before is None else before.cents + leg.amount_cents,
            previous=None if before is None else before.head,
            strategy=write.way,
            replica=f"bank-{int(worker) % 3}",
            worker=worker,
            transaction=self.clock,
            read_at_microseconds=None if write.way in ("computed", "conditional") else read_at,
            written_at_microseconds=self.clock,
        )

    def _append(self, entry: Entry, fault: Fault | None) -> None:
        """Put an entry on an account that is nothing but the sum of its entries."""
        if fault != "no entry":
            now = self._read(entry.account)
            self.balances[entry.account] = replace(now, cents=now.cents + entry.amount_cents, version=now.version + 1)
            self.entries.append(entry)

    def _backing(self, account: int) -> list[int]:
        """Return the account and those of the same owner."""
        owner = self.owners.get(account)
        return [account] if owner is None else [one for one, other in self.owners.items() if other == owner]

    def _falls(self, account: int, legs: Sequence[Leg], seen: Mapping[int, Balance]) -> bool:
        """Whether the account, with those that back it, loses money that was not seen on them."""
        group = self._backing(account)
        change = sum(leg.amount_cents for leg in legs if leg.account in group)
        return change < 0 and sum(seen[one].cents for one in group) + change < MINIMUM_CENTS * len(group)

    def _unborn(self, account: int, seen: Balance) -> bool:
        return account in self.created and seen.version == 0

    def _looked(self, entry: UUID, write: Write, seen: Mapping[int, Balance]) -> None:
        """Record what was read beside the balances that were computed from; of a derived account there is no head."""
        own = {leg.account for leg in write.legs}
        for account, balance in seen.items():
            silent = self._unborn(account, balance) or account in self.derived
            if silent or (account in own and write.way != "checked"):
                continue
            self.reads.append(Read(entry, account, balance.head))
            if account not in own:
                self.truth.saw.setdefault(entry, {})[account] = balance.version

    def _read(self, account: int) -> Balance:
        balance = self.balances[account]
        return Balance(balance.cents, balance.head, balance.version, balance.made_of)

    def _install(self, entry: UUID, leg: Leg, seen: Balance | None, fault: Fault | None) -> None:
        if fault is not None:
            self.truth.torn += 1
            self.truth.torn_accounts.add(leg.account)
        if fault == "no install":
            return
        now = self.balances[leg.account]
        base = now if seen is None else seen
        if seen is not None and seen.version != now.version and fault is None:
            between = (one for one in self.installs if one.account == leg.account)
            self.truth.overwritten[entry] = {one.new_head for one in list(between)[seen.version :]}
        cents = base.cents + leg.amount_cents
        replaced = None if self._unborn(leg.account, now) else now.head
        self.installs.append(
            Install(len(self.installs) + 1, leg.account, replaced, entry, now.cents, cents, transaction=self.clock)
        )
        self.truth.wrote[leg.account, now.version] = entry
        if cents < MINIMUM_CENTS:
            self.truth.overdrawn.add(leg.account)
        self.balances[leg.account] = Balance(cents, entry, now.version + 1, base.made_of | {entry})

    def _answer(self, key: int, write: Write, begin: int, entry: UUID | None) -> None:
        applied = entry is not None
        known = write.fault is None
        self.operations.append(
            Operation(
                generator=0,
                key=str(key),
                type="info" if not known else "ok" if applied else "fail",
                account=write.legs[0].account,
                amount_cents=write.legs[0].amount_cents,
                status=None if not known else 200 if applied else 422,
                outcome=None if not known else "applied" if applied else "refused",
                entry=entry if known else None,
                replica="bank-0" if known else None,
                begin_microseconds=begin,
                end_microseconds=self.clock,
                error=None if known else "timeout",
            )
        )

    def history(self, histories: Histories | None = None) -> History:
        accounts = [
            replace(one, balance_cents=self.balances[one.id].cents, head=self.balances[one.id].head)
            if one.id not in self.derived
            else one
            for one in self.opened()
        ]
        complete = Histories(expected=1, complete=frozenset({0}))
        return History(accounts, self.entries, self.installs, self.operations, histories or complete, self.reads)

    def opened(self) -> list[Account]:
        """Return the accounts as they were before the first write."""
        return [
            Account(
                account,
                cents,
                cents,
                MINIMUM_CENTS,
                UUID(int=OPENING_HEADS + account),
                self.owners.get(account),
                account in self.derived,
            )
            for account, cents in self.openings.items()
        ]

    def victims(self) -> set[tuple[int, UUID]]:
        """Account and id of each entry with an install that no balance is made of."""
        installed = {(one.account, one.new_head) for one in self.installs}
        return {
            (entry.account, entry.id)
            for entry in self.entries
            if (entry.account, entry.id) in installed and entry.id not in self.balances[entry.account].made_of
        }

    def surplus(self) -> set[int]:
        """The accounts that were created for an owner who had been given one before."""
        births = [one.account for one in self.installs if one.old_head is None]
        owners = [self.owners[account] for account in births]
        return {account for number, account in enumerate(births) if self.owners[account] in owners[:number]}

    def skews(self) -> set[frozenset[UUID]]:
        """The pairs of entries that each read the version of an account which the other one replaced."""
        unseen = {
            (reader, self.truth.wrote.get((account, version)))
            for reader, versions in self.truth.saw.items()
            for account, version in versions.items()
        }
        return {frozenset((one, other)) for one, other in unseen if other is not None and (other, one) in unseen}


def put_back() -> History:
    """Deposits 0, 1 and 2 of 1.00 each; before the last, a stale `save()` puts back the balance that 0 had written."""
    deposits = Simulation([0]).play([Write((Leg(1, 100),), "locked")] * 2, [], workers=1)
    zero, one, two = UUID(int=1), UUID(int=2), UUID(int=3)
    last = replace(
        deposits.entries[-1], id=two, operation="2", previous=zero, balance_before_cents=100, balance_after_cents=200
    )
    deposits.entries.append(last)
    deposits.installs.append(Install(3, 1, one, zero, 200, 100, transaction=1))
    deposits.installs.append(Install(4, 1, zero, two, 100, 200, transaction=1))
    deposits.balances[1] = Balance(200, two, 4, frozenset({zero, two}))
    return deposits.history()
