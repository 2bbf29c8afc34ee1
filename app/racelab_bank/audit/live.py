"""The live audit: figures that follow a run while load runs, at a cost per row that does not grow with the ledger.

Rows arrive in any order. A row below the horizon may need one that is not: a waiter can hold an older transaction id
than the writer before it, and without a transaction an entry follows its install later. So an install is consumed only
when it replaces the last head consumed on its account and its entry has been read. The rest is held. Figures come from
consumed rows only: they are those of a state that truly was. A derived account has entries only, and no order that
matters: they are consumed as they come.

What is lost is counted without walking: an entry's depth is how many entries the balance it wrote descends from, one
more than its parent's. What was installed less the depth of the last head is lost. A stale writer that restores an
overwritten branch brings its depth back with it.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from racelab_bank.audit.chain import broken_balance, broken_sum, unexpected_install
from racelab_bank.audit.live_account import LiveAccount, LiveGroup
from racelab_bank.audit.live_figures import LiveFigures, RecentStaleInstall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet
    from uuid import UUID

    from racelab_bank.audit.live_account import AccountFigures
    from racelab_bank.audit.rows import Account, Entry, Install

#: How many heads are remembered for stale writers that still have to write: about 200 bytes each. A writer is stale by
#: its window of at most 10 seconds and its time in queues; at 5,000 writes per second this is 40 seconds.
REMEMBERED_HEADS = 200_000


#: How many of the last stale installs are remembered.
RECENT = 50


class LiveAudit:
    """Follow one run: give `consume` every row once, as it becomes visible, in any order; ask `figures` any time."""

    def __init__(self, accounts: Iterable[Account], *, remembered_heads: int = REMEMBERED_HEADS) -> None:
        """Begin with `accounts` as they were opened: each `head` is the opening head.

        When rows have been written already, the opening head is the `old_head` of the account's first install, read in
        one snapshot with the account.
        """
        self._remembered_heads = remembered_heads
        self._memory: deque[tuple[LiveAccount, int]] = deque()
        self._states: dict[int, LiveAccount] = {}
        self._owners: dict[int, LiveGroup] = {}
        self._blocked: dict[int, LiveAccount] = {}
        self._writers: set[tuple[str, str]] = set()
        self._served: Counter[str] = Counter()
        self._recent: deque[RecentStaleInstall] = deque(maxlen=RECENT)
        self._poll = 0
        self._entries = self._opening = self._total = self._balance = self._absolute_drift = 0
        self._lost = self._culprits = self._visible = self._hidden = self._duplicates = self._torn = self._held = 0
        self._exact = True
        self._violation: str | None = None
        self.add(accounts)

    @property
    def followed(self) -> AbstractSet[int]:
        """The ids of the accounts that are followed."""
        return self._states.keys()

    def add(self, accounts: Iterable[Account]) -> None:
        """Follow more accounts, as they were opened: those that requests create during the run.

        One that was created with its first balance has replaced nothing: its `head` is an id that no install has.
        """
        for account in accounts:
            group = LiveGroup() if account.owner is None else self._owners.setdefault(account.owner, LiveGroup())
            state = LiveAccount(account, group, account.head, account.opening_cents, account.opening_cents)
            self._states[account.id] = state
            self._opening += account.opening_cents
            self._withdraw(group)
            group.members.append(state)
            group.minimum_cents += account.minimum_cents
            self._put_in(state)
            self._remember(state, account.head)

    def consume(self, entries: Iterable[Entry], installs: Iterable[Install]) -> None:
        """Take rows that are newly visible, consume what can be, hold the rest.

        Raises `ValueError` for a row of an account that is not followed.
        """
        self._poll += 1
        touched: dict[int, LiveAccount] = {}
        for entry in entries:
            state = touched[entry.account] = self._state(entry.account)
            if state.account.derived:
                self._add_up(state, entry)
            elif entry.id.int in state.given_up:
                self._accept_late(state, entry)
            else:
                state.entries[entry.id.int] = (entry, self._poll)
                self._held += 1
        for install in installs:
            state = touched[install.account] = self._state(install.account)
            if state.account.derived:
                self._contradict(state, unexpected_install(install))
            else:
                state.hold(install)
                self._held += 1
        for state in touched.values():
            self._drain(state)

    def accept_torn(self, polls: int = 0) -> None:
        """Give up on the missing halves of what has been held for at least so many calls of `consume`.

        An install without an entry is consumed all the same, as a final audit does, and so is what waits behind it; an
        entry without an install is added to the ledger. A writer that dies between its two halves would stop its
        account's figures for ever otherwise.
        """
        limit = self._poll - polls
        for state in list(self._blocked.values()):
            while state.blocked_since is not None and state.blocked_since <= limit:
                install = state.next_install()
                if install is None:
                    break
                state.given_up.add(install.new_head.int)
                self._torn += 1
                self._apply(state, install, None)
                self._drain(state)
        for state in self._states.values():
            if state.entries:
                self._accept_lone(state, limit)

    def figures(self) -> LiveFigures:
        """Return the figures as of now. The cost does not depend on what was consumed."""
        return LiveFigures(
            accounts=len(self._states),
            entries=self._entries,
            opening_cents=self._opening,
            ledger_total_cents=self._total,
            balance_cents=self._balance,
            drift_cents=self._balance - self._total,
            absolute_drift_cents=self._absolute_drift,
            lost=self._lost,
            culprits=self._culprits,
            visible_overdrafts=self._visible,
            hidden_overdrafts=self._hidden,
            duplicates=self._duplicates,
            torn=self._torn,
            held=self._held,
            exact=self._exact,
            violation=self._violation,
            replicas_seen=tuple(sorted({replica for replica, _ in self._writers})),
            writers_seen=len(self._writers),
        )

    def accounts(self) -> Iterator[AccountFigures]:
        """Yield the figures of each account that has entries, as of now."""
        return (state.figures() for state in self._states.values() if state.counted)

    @property
    def polls(self) -> int:
        """How often `consume` was called."""
        return self._poll

    @property
    def served(self) -> dict[str, int]:
        """How many entries each replica has written."""
        return dict(sorted(self._served.items()))

    @property
    def recent(self) -> tuple[RecentStaleInstall, ...]:
        """The last stale installs, newest first."""
        return tuple(self._recent)

    @property
    def oldest_held_poll(self) -> int | None:
        """Which call of `consume`, counted from 1, brought the oldest row that is still held; None when none is."""
        if not self._held:
            return None
        polls = [since for state in self._states.values() for _, since in state.entries.values()]
        polls += [state.blocked_since for state in self._blocked.values() if state.blocked_since is not None]
        return min(polls, default=self._poll)

    def _state(self, account: int) -> LiveAccount:
        state = self._states.get(account)
        if state is None:
            raise ValueError(f"a row is on account {account}, which is not followed; add the account first")
        return state

    def _drain(self, state: LiveAccount) -> None:
        """Consume the account's installs in version order, up to the first that cannot be."""
        while (install := state.next_install()) is not None:
            head = install.new_head.int
            held = state.entries.pop(head, None)
            entry = None if held is None else held[0]
            if entry is None and head in state.lone:
                self._torn -= 1
            elif entry is None and head not in state.depths:
                if state.blocked_since is None:
                    state.blocked_since = self._poll
                    self._blocked[state.account.id] = state
                return
            elif entry is None:
                self._torn += 1  # A head that was installed before is put back: there is no entry to wait for.
            else:
                self._held -= 1
            self._apply(state, install, entry)
        self._unblock(state)

    def _unblock(self, state: LiveAccount) -> None:
        if state.blocked_since is not None:
            state.blocked_since = None
            del self._blocked[state.account.id]

    def _apply(self, state: LiveAccount, install: Install, entry: Entry | None) -> None:
        """Make `install` the account's last version, written by `entry` or by nobody knows whom."""
        self._unblock(state)
        state.remove(install)
        self._held -= 1
        self._take_out(state)
        if entry is None:
            entry = state.lone.pop(install.new_head.int, None)
        else:
            self._count(state, entry)
        self._check(state, install, entry)
        state.depth = self._depth(state, install, entry)
        state.installed += entry is not None
        state.balance_cents = install.new_balance_cents
        state.head = install.new_head
        state.group.created += state.fresh and install.old_head is None
        state.fresh = False
        state.overdrawn |= install.new_balance_cents < state.account.minimum_cents
        self._put_in(state)
        self._remember(state, install.new_head)

    def _depth(self, state: LiveAccount, install: Install, entry: Entry | None) -> int:
        """Return how many entries the new balance descends from; the final audit's parents, counted."""
        if entry is None:
            return state.depths.get(install.new_head.int, state.depth)
        if entry.previous is None or entry.previous == install.old_head:
            return state.depth + 1
        self._culprits += 1
        self._recent.appendleft(
            RecentStaleInstall(
                entry.operation, entry.account, entry.amount_cents, entry.replica, entry.written_at_microseconds
            )
        )
        depth = state.depths.get(entry.previous.int)
        if depth is None:
            self._exact = False
            return 1
        return depth + 1

    def _check(self, state: LiveAccount, install: Install, entry: Entry | None) -> None:
        reason = None if entry is None else broken_sum(install, entry)
        if reason is None and install.old_balance_cents != state.balance_cents:
            reason = broken_balance(install, state.balance_cents)
        if reason is not None:
            self._contradict(state, reason)

    def _contradict(self, state: LiveAccount, reason: str) -> None:
        if self._violation is None:
            self._violation = f"account {state.account.id}: {reason}"

    def _add_up(self, state: LiveAccount, entry: Entry) -> None:
        """Count an entry of a derived account: it is the balance's change and all there is to it."""
        self._take_out(state)
        self._count(state, entry)
        state.balance_cents = state.total_cents
        self._put_in(state)

    def _count(self, state: LiveAccount, entry: Entry) -> None:
        state.total_cents += entry.amount_cents
        state.counted += 1
        self._entries += 1
        self._writers.add((entry.replica, entry.worker))
        self._served[entry.replica] += 1

    def _take_out(self, state: LiveAccount) -> None:
        """Take an account's share out of the run's figures, to change it and put it in again."""
        self._total -= state.total_cents
        self._balance -= state.balance_cents
        self._absolute_drift -= abs(state.drift_cents)
        self._lost -= state.lost
        self._withdraw(state.group)
        state.group.count_out(state)

    def _put_in(self, state: LiveAccount) -> None:
        self._total += state.total_cents
        self._balance += state.balance_cents
        self._absolute_drift += abs(state.drift_cents)
        self._lost += state.lost
        group = state.group
        group.count_in(state)
        self._visible += group.visible
        self._hidden += group.hidden
        self._duplicates += group.duplicates

    def _withdraw(self, group: LiveGroup) -> None:
        """Take what a group shows out of the run's figures, before one of its members changes or is added."""
        self._visible -= group.visible
        self._hidden -= group.hidden
        self._duplicates -= group.duplicates

    def _remember(self, state: LiveAccount, head: UUID) -> None:
        state.depths[head.int] = state.depth
        self._memory.append((state, head.int))
        while len(self._memory) > self._remembered_heads:
            oldest, forgotten = self._memory.popleft()
            oldest.depths.pop(forgotten, None)

    def _accept_late(self, state: LiveAccount, entry: Entry) -> None:
        """Count an entry whose install was given up on. What it descends from was guessed by then."""
        state.given_up.remove(entry.id.int)
        self._torn -= 1
        self._exact = False
        self._take_out(state)
        self._count(state, entry)
        state.installed += 1
        state.depth += 1
        self._put_in(state)

    def _accept_lone(self, state: LiveAccount, limit: int) -> None:
        """Add entries to the ledger that have waited for an install since `limit` or before, if none is held."""
        awaited = {install.new_head.int for installs in state.installs.values() for install in installs}
        for head, (entry, since) in list(state.entries.items()):
            if since <= limit and head not in awaited:
                del state.entries[head]
                self._held -= 1
                self._torn += 1
                state.lone[head] = entry
                self._take_out(state)
                self._count(state, entry)
                self._put_in(state)
