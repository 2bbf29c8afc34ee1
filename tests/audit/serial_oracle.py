"""Which serial orders explain a ledger, by trying all of them; and who depends on whom, told naively from the rows.

Nothing of this knows the audit's columns or its graph. An operation can be done next when everything that is recorded
of it comes out: the balances and heads that it had read, those that it replaced and left, those that it looked at, and
how many entries it had summed up. Whoever created an account for an owner must have found none that another one had
created.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise, permutations
from uuid import UUID

from racelab_bank.audit.history import History
from racelab_bank.audit.rows import Entry, Install, Read


@dataclass
class State:
    """What is on an account: a balance, a head, how many entries; who created it, if a request did."""

    cents: int
    head: UUID | None
    entries: int = 0
    creator: UUID | None = None


@dataclass
class Bank:
    """A ledger's operations, which can be performed again one by one."""

    history: History
    operations: dict[UUID, list[Entry]] = field(default_factory=dict)
    installs: dict[tuple[int, UUID], Install] = field(default_factory=dict)
    reads: dict[UUID, list[Read]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.history.entries:
            self.operations.setdefault(entry.id, []).append(entry)
        for install in self.history.installs:
            self.installs[install.account, install.new_head] = install
        for read in self.history.reads:
            self.reads.setdefault(read.entry, []).append(read)
        self.accounts = {account.id: account for account in self.history.accounts}

    def opened(self) -> dict[int, State]:
        """Return the accounts as they were before everything."""
        heads: dict[int, UUID | None] = {account.id: account.head for account in self.history.accounts}
        for install in sorted(self.history.installs, key=lambda one: -one.sequence):
            heads[install.account] = install.old_head
        return {account.id: State(account.opening_cents, heads[account.id]) for account in self.history.accounts}

    def done(self, operation: UUID, bank: Mapping[int, State]) -> dict[int, State] | None:
        """Perform an operation next, and return the accounts; None where something else comes out than is recorded."""
        if any(bank[read.account].head != read.seen_head for read in self.reads.get(operation, ())):
            return None
        after = dict(bank)
        for entry in self.operations[operation]:
            now = bank[entry.account]
            cents = now.cents + entry.amount_cents
            if entry.balance_before_cents not in (None, now.cents) or entry.balance_after_cents not in (None, cents):
                return None
            if self.accounts[entry.account].derived:
                if entry.seen_entries not in (None, now.entries):
                    return None
                after[entry.account] = State(cents, now.head, now.entries + 1)
                continue
            install = self.installs[entry.account, entry.id]
            replaced = (install.old_head, install.old_balance_cents, install.new_balance_cents)
            if entry.previous not in (None, now.head) or replaced != (now.head, now.cents, cents):
                return None
            creator = operation if install.old_head is None else now.creator
            if creator == operation and self._creators(entry.account, bank) - {operation}:
                return None
            after[entry.account] = State(cents, operation, now.entries + 1, creator)
        return after

    def _creators(self, account: int, bank: Mapping[int, State]) -> set[UUID | None]:
        owner = self.accounts[account].owner
        own = (one.id for one in self.history.accounts if owner is not None and one.owner == owner)
        return {bank[one].creator for one in own} - {None}

    def ended(self, bank: Mapping[int, State]) -> bool:
        """Whether the accounts are at last what they say."""
        return all(
            account.derived or (bank[account.id].cents, bank[account.id].head) == (account.balance_cents, account.head)
            for account in self.history.accounts
        )

    def explains(self, order: Sequence[UUID]) -> bool:
        """Whether the operations, one after the other in this order, give everything that is recorded."""
        bank: dict[int, State] | None = self.opened()
        for operation in order:
            bank = None if bank is None else self.done(operation, bank)
        return bank is not None and self.ended(bank)

    def serial_orders(self) -> Iterator[tuple[UUID, ...]]:
        """Try all orders, leaving off where one has failed, and yield those that explain the ledger."""

        def further(order: tuple[UUID, ...], bank: dict[int, State]) -> Iterator[tuple[UUID, ...]]:
            rest = [operation for operation in self.operations if operation not in order]
            if not rest and self.ended(bank):
                yield order
            for operation in rest:
                after = self.done(operation, bank)
                if after is not None:
                    yield from further((*order, operation), after)

        return further((), self.opened())

    def all_orders(self) -> Iterator[tuple[UUID, ...]]:
        """Try all orders to the end: slow, and sure to leave none out."""
        return (order for order in permutations(self.operations) if self.explains(order))


Pairs = set[tuple[UUID, UUID]]


def dependencies(history: History) -> Pairs:
    """Return who comes directly before whom, as Adya's direct serialization graph has it.

    Whoever overlooked a version that it wrote over came before that version's writer, and after it.
    """
    found: Pairs = set()
    writers: dict[int, list[UUID]] = {}
    for install in sorted(history.installs, key=lambda one: one.sequence):
        writers.setdefault(install.account, []).append(install.new_head)
    known = {(entry.id, entry.account) for entry in history.entries}
    computed_from = [Read(one.id, one.account, one.previous) for one in history.entries if one.previous is not None]
    derived = {account.id for account in history.accounts if account.derived}
    for own in writers.values():
        found |= {(one, own[place + 1]) for place, one in enumerate(own[:-1])}
    for read in (*history.reads, *computed_from):
        if read.account in derived:
            continue
        own = writers.get(read.account, [])
        place = own.index(read.seen_head) + 1 if read.seen_head in own else 0
        found |= {(own[place - 1], read.entry)} if place else set()
        found |= {(read.entry, one) for one in own[place : place + 1]}
        if (read.entry, read.account) in known and own.index(read.entry) > place:
            found.add((own[place], read.entry))
    found |= _summed(history, derived) | _created(history)
    return {(one, other) for one, other in found if one != other}


def _summed(history: History, derived: Collection[int]) -> Pairs:
    """Return the order of who had summed up fewer entries; who had summed up as many has not seen the other's."""
    found: Pairs = set()
    for account in derived:
        own = [(one.seen_entries, one.id) for one in history.entries if one.account == account]
        summed = [(seen, id_) for seen, id_ in own if seen is not None]
        counts = sorted({seen for seen, _ in summed})
        following = {*pairwise(counts), *((count, count) for count in counts)}
        found |= {(id_, other) for seen, id_ in summed for later, other in summed if (seen, later) in following}
    return found


def _created(history: History) -> Pairs:
    owners = {account.id: account.owner for account in history.accounts}
    births = [one for one in history.installs if one.old_head is None and owners[one.account] is not None]
    found: Pairs = set()
    for one, other in combinations(births, 2):
        if owners[one.account] == owners[other.account]:
            found |= {(one.new_head, other.new_head), (other.new_head, one.new_head)}
    return found


def knots(pairs: Pairs) -> list[set[UUID]]:
    """Return the groups of operations that depend on each other in circles: who reaches each other, naively."""
    reached = {node: {node} for pair in pairs for node in pair}
    for _ in reached:
        for one, other in pairs:
            reached[one] |= reached[other]
    groups = {frozenset(other for other in reached[one] if one in reached[other]) for one in reached}
    return [set(group) for group in groups if len(group) > 1]


def shortest_cycle(pairs: Pairs, within: Collection[UUID]) -> int:
    """Return how many operations the shortest cycle has within a knot."""
    inside = {(one, other) for one, other in pairs if one in within and other in within}
    for length in range(2, len(within) + 1):
        for path in permutations(within, length):
            if all(step in inside for step in zip(path, (*path[1:], path[0]), strict=True)):
                return length
    raise AssertionError("a knot has a cycle")
