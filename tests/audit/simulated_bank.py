"""A bank in a few lines, run by a schedule: what concurrent writers would leave in the ledger, and what truly happened.

The oracle does not look at heads or versions. Every balance carries with it the set of entries that it is made of: a
writer that computes from what it read passes on the set it read. What is in no final set is lost, whatever the rows
say.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from racelab_bank.audit.history import Account, Entry, Histories, History, Install, Operation, Read

#: "checked" looks at the floor first and lets the database add afterwards.
Way = Literal["naive", "checked", "locked", "computed", "conditional"]
Fault = Literal["no entry", "no install"]

#: No clock decides these tests: the machine may be busy.
often = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: For tests that are repeated for every detector.
sometimes = settings(often, max_examples=30)

MINIMUM_CENTS = 0
#: Ids of opening heads begin here, ids of entries at 1.
OPENING_HEADS = 1 << 100


@dataclass(frozen=True)
class Leg:
    account: int
    amount_cents: int


@dataclass(frozen=True)
class Write:
    """One operation: its legs, how it writes, and which half of the write a crash takes away."""

    legs: tuple[Leg, ...]
    way: Way
    fault: Fault | None = None


@dataclass
class Balance:
    """An account in the simulation. `made_of` are the entries that the balance truly contains."""

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
        read = sorted({account for leg in write.legs for account in self._backing(leg.account)})
        seen = {account: self._read(account) for account in read}
        if write.way in ("naive", "checked"):
            yield "read"
        elif write.way in ("locked", "conditional"):
            seen = {account: self._read(account) for account in read}
        if write.way != "computed" and any(self._falls(leg.account, write.legs, seen) for leg in write.legs):
            self._answer(key, write, begin, None)
            return
        entry = UUID(int=key + 1)
        # Nobody computes from the balance of an account that is not there yet.
        unborn = any(self._unborn(account, seen[account]) for account in read)
        computed = unborn or write.way in ("computed", "conditional", "checked")
        read_at = self.clock
        for leg in write.legs:
            if leg.account in self.derived:
                now = self._read(leg.account)
                self.balances[leg.account] = replace(now, cents=now.cents + leg.amount_cents)
            elif write.fault != "no install":
                self._install(entry, leg, None if computed else seen[leg.account], written=write.fault is None)
            else:
                self._torn(leg)
            if write.fault == "no entry" and leg.account not in self.derived:
                self._torn(leg)
        written = enumerate(write.legs) if write.fault != "no entry" else ()
        entries = [
            Entry(
                id=entry,
                leg=number,
                leg_count=len(write.legs),
                account=leg.account,
                operation=str(key),
                amount_cents=leg.amount_cents,
                balance_before_cents=None if computed else seen[leg.account].cents,
                balance_after_cents=None if computed else seen[leg.account].cents + leg.amount_cents,
                previous=None if computed else seen[leg.account].head,
                strategy=write.way,
                replica=f"bank-{int(worker) % 3}",
                worker=worker,
                transaction=self.clock,
                read_at_microseconds=None if computed else read_at,
                written_at_microseconds=self.clock,
            )
            for number, leg in written
        ]
        self.entries += [one for one in entries if one.account in self.derived]
        if write.way != "locked":
            yield "installed"
        self.entries += [one for one in entries if one.account not in self.derived]
        if entries:
            self._looked(entry, write, seen)
        self._answer(key, write, begin, entry)

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
        """Record what was read beside the balances that were computed from."""
        own = {leg.account for leg in write.legs}
        for account, balance in seen.items():
            if self._unborn(account, balance) or (account in own and write.way != "checked"):
                continue
            self.reads.append(Read(entry, account, balance.head))
            if account not in own:
                self.truth.saw.setdefault(entry, {})[account] = balance.version

    def _read(self, account: int) -> Balance:
        balance = self.balances[account]
        return Balance(balance.cents, balance.head, balance.version, balance.made_of)

    def _torn(self, leg: Leg) -> None:
        self.truth.torn += 1
        self.truth.torn_accounts.add(leg.account)

    def _install(self, entry: UUID, leg: Leg, seen: Balance | None, *, written: bool) -> None:
        now = self.balances[leg.account]
        base = now if seen is None else seen
        if seen is not None and seen.version != now.version and written:
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


@st.composite
def writes(draw: st.DrawFn, accounts: int, ways: Sequence[Way], *, faults: bool, transfers: bool) -> Write:
    way = draw(st.sampled_from(ways))
    account = draw(st.integers(1, accounts))
    amount = draw(st.integers(1, 500) | st.integers(-500, -1))
    legs: tuple[Leg, ...] = (Leg(account, amount),)
    if transfers and accounts > 1 and draw(st.booleans()):
        legs = (*legs, Leg(account % accounts + 1, -amount))
    fault: Fault | None = draw(st.sampled_from(["no entry", "no install", None, None, None])) if faults else None
    return Write(legs, way, fault)


ALL_WAYS: tuple[Way, ...] = ("naive", "checked", "locked", "computed", "conditional")
CLEAN_WAYS: tuple[Way, ...] = ("locked", "conditional")


@st.composite
def simulations(
    draw: st.DrawFn,
    *,
    ways: Sequence[Way] = ALL_WAYS,
    accounts: int = 3,
    faults: bool = False,
    transfers: bool = True,
    least: int = 0,
    plain: bool = True,
) -> Simulation:
    """Draw a simulation. The first account is always a `plain` one: without an owner, opened, and with a balance."""
    openings = draw(st.lists(st.integers(0, 1_000), min_size=1, max_size=accounts))
    others = st.sets(st.integers(2, max(2, len(openings))), max_size=0 if plain else len(openings) - 1)
    derived = draw(others)
    created = draw(others) - derived
    owners = {account: draw(st.integers(7, 8)) for account in sorted(draw(others) | created)}
    write = writes(len(openings), ways, faults=faults, transfers=transfers)
    planned = draw(st.lists(write, min_size=least, max_size=25))
    picks = draw(st.lists(st.integers(0, 5), max_size=3 * len(planned) + 1))
    simulation = Simulation(openings, owners=owners, derived=derived, created=created)
    return simulation.play(planned, picks, workers=draw(st.integers(1, 6)))


def clean_simulations(least: int = 0) -> st.SearchStrategy[Simulation]:
    """Only writers that cannot race, on accounts of every sort, of which requests create one per owner at most."""
    drawn = simulations(ways=CLEAN_WAYS, least=least, accounts=5, plain=False)
    return drawn.filter(lambda simulation: not simulation.surplus())


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
