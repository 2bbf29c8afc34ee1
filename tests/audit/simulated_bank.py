"""A bank in a few lines, run by a schedule: what concurrent writers would leave in the ledger, and what truly happened.

The oracle does not look at heads or versions. Every balance carries with it the set of entries that it is made of: a
writer that computes from what it read passes on the set it read. What is in no final set is lost, whatever the rows
say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from racelab_bank.audit.history import Account, Entry, Histories, History, Install, Operation

Way = Literal["naive", "locked", "computed", "conditional"]
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


class Simulation:
    """Plays writes in the order that a schedule of picks gives; `workers` writes are in flight at once."""

    def __init__(self, openings: Sequence[int]) -> None:
        self.openings = dict(enumerate(openings, start=1))
        self.balances = {
            account: Balance(cents, UUID(int=OPENING_HEADS + account)) for account, cents in self.openings.items()
        }
        self.entries: list[Entry] = []
        self.installs: list[Install] = []
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
        seen = {leg.account: self._read(leg.account) for leg in write.legs}
        if write.way == "naive":
            yield "read"
        elif write.way in ("locked", "conditional"):
            seen = {leg.account: self._read(leg.account) for leg in write.legs}
        floored = write.way != "computed"
        if floored and any(
            leg.amount_cents < 0 and seen[leg.account].cents + leg.amount_cents < 0 for leg in write.legs
        ):
            self._answer(key, write, begin, None)
            return
        entry = UUID(int=key + 1)
        computed = write.way in ("computed", "conditional")
        read_at = self.clock
        for leg in write.legs:
            if write.fault != "no install":
                self._install(entry, leg, None if computed else seen[leg.account], written=write.fault is None)
            else:
                self._torn(leg)
            if write.fault == "no entry":
                self._torn(leg)
        if write.way != "locked":
            yield "installed"
        if write.fault != "no entry":
            for number, leg in enumerate(write.legs):
                before = None if computed else seen[leg.account].cents
                self.entries.append(
                    Entry(
                        id=entry,
                        leg=number,
                        leg_count=len(write.legs),
                        account=leg.account,
                        operation=str(key),
                        amount_cents=leg.amount_cents,
                        balance_before_cents=before,
                        balance_after_cents=None if before is None else before + leg.amount_cents,
                        previous=None if computed else seen[leg.account].head,
                        strategy=write.way,
                        replica=f"bank-{int(worker) % 3}",
                        worker=worker,
                        transaction=self.clock,
                        read_at_microseconds=None if computed else read_at,
                        written_at_microseconds=self.clock,
                    )
                )
        self._answer(key, write, begin, entry)

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
        self.installs.append(
            Install(len(self.installs) + 1, leg.account, now.head, entry, now.cents, cents, transaction=self.clock)
        )
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
            Account(account, self.openings[account], balance.cents, MINIMUM_CENTS, balance.head)
            for account, balance in self.balances.items()
        ]
        complete = Histories(expected=1, complete=frozenset({0}))
        return History(accounts, self.entries, self.installs, self.operations, histories or complete)

    def victims(self) -> set[tuple[int, UUID]]:
        """Account and id of each entry with an install that no balance is made of."""
        installed = {(one.account, one.new_head) for one in self.installs}
        return {
            (entry.account, entry.id)
            for entry in self.entries
            if (entry.account, entry.id) in installed and entry.id not in self.balances[entry.account].made_of
        }


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


ALL_WAYS: tuple[Way, ...] = ("naive", "locked", "computed", "conditional")
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
) -> Simulation:
    openings = draw(st.lists(st.integers(0, 1_000), min_size=1, max_size=accounts))
    write = writes(len(openings), ways, faults=faults, transfers=transfers)
    planned = draw(st.lists(write, min_size=least, max_size=25))
    picks = draw(st.lists(st.integers(0, 5), max_size=3 * len(planned) + 1))
    return Simulation(openings).play(planned, picks, workers=draw(st.integers(1, 6)))


def clean_simulations(least: int = 0) -> st.SearchStrategy[Simulation]:
    """Only writers that cannot race."""
    return simulations(ways=CLEAN_WAYS, least=least)


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
