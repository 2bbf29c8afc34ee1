"""Cycles in words: who read what, who installed what over it, and what cannot be true of any serial order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from racelab_bank.audit.graph.cycles import Cycle, Name, Step
from racelab_bank.audit.graph.dependencies import Kind, Sort
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.words import clock, later, money, operation, signed, who

if TYPE_CHECKING:
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry, Install


def told(history: History, cycle: Cycle) -> str:
    """Return what happened on a cycle, in one sentence."""
    teller = _Teller(history)
    if cycle.name is Name.LOST_UPDATE:
        return teller.lost_update(cycle)
    steps = "; ".join(teller.step(step) for step in cycle.steps)
    if cycle.name in _ENDS:
        end = _ENDS[cycle.name]
    elif len(cycle.steps) == 2:
        end = "each must have come before the other"
    else:
        end = "each must have come before the next, and the last before the first"
    return f"{steps}: {end}"


_ENDS = {
    Name.READ_SKEW: "what was read together was never there together",
    Name.STALE_GUARD: "what was checked was no longer true; harmless as long as no floor is broken",
    Name.INTERLEAVED_ADDITIONS: "in no order do the balances in between come out; what the database adds up stays",
}


class _Teller:
    def __init__(self, history: History) -> None:
        self._history = history

    def lost_update(self, cycle: Cycle) -> str:
        """Tell who read, who installed meanwhile, and who then wrote over it."""
        stale = next(step for step in cycle.steps if step.kind is Kind.RW and step.sort is Sort.STALE)
        versions = self._history.versions
        victim, victims_install = self._version(stale.version)
        own = int(versions.version_of_entry[self._row(stale.source, stale.account)])
        reader, readers_install = self._version(own)
        parent = int(versions.parents[own])
        source = "the opening" if parent < 0 else operation(versions.entry_at(parent))
        read_at = reader.read_at_microseconds
        when = f" at {clock(read_at)}" if read_at else ""
        lost = bool(versions.lost[stale.version])
        end = "is lost" if lost else "was overwritten, and came back with a later stale write"
        over = "that" if own == stale.version + 1 else "what had come of it"
        return (
            f"{who(reader)} read {money(reader.balance_before_cents or 0)} on account {reader.account} from "
            f"{source}{when}, {who(victim)} installed {money(victims_install.new_balance_cents)} over it"
            f"{_since(read_at, victim)}, and {operation(reader)} then installed "
            f"{money(readers_install.new_balance_cents)} over {over}{_since(victim.written_at_microseconds, reader)}: "
            f"{operation(victim)}'s {signed(victim.amount_cents)} {end}"
        )

    def step(self, step: Step) -> str:
        """Tell one edge: why its source came first."""
        source, target = self._leg(step.source, step.account), self._leg(step.target, step.account)
        account = f"account {self._history.tables.accounts[step.account].id}"
        if step.sort is Sort.PREDICATE:
            return f"{who(source)} had seen no account of the owner when {operation(target)} created {account}"
        if step.version == NONE:
            if step.kind is Kind.RW:
                return f"{who(source)} summed up {account} without {operation(target)}'s {signed(target.amount_cents)}"
            return f"{who(target)} summed up {account} with what {operation(source)} had written"
        written, install = self._version(step.version)
        new = money(install.new_balance_cents)
        at = f" at {clock(written.written_at_microseconds)}" if written.written_at_microseconds else ""
        if step.kind is Kind.RW:
            old = money(install.old_balance_cents)
            return f"{who(source)} read {old} on {account} before {who(written)} installed {new} over it{at}"
        if step.kind is Kind.WR:
            return f"{who(target)} read {new} on {account}, which {who(written)} had installed{at}"
        return f"{who(source)} wrote {account} before {who(written)} installed {new} on it{at}"

    def _version(self, version: int) -> tuple[Entry, Install]:
        entry = self._history.versions.entry_at(version)
        assert entry is not None  # noqa: S101 - edges lead between entries
        return entry, self._history.tables.installs[int(self._history.versions.install[version])]

    def _leg(self, posting: int, account: int) -> Entry:
        """Return a posting's leg on an account, or its first where it only read that account."""
        return self._history.tables.entries[self._row(posting, account)]

    def _row(self, posting: int, account: int) -> int:
        rows = self._history.postings.rows(posting).tolist()
        on = self._history.versions.entry_account
        return int(next((row for row in rows if on[row] == account), rows[0]))


def _since(then: int | None, entry: Entry) -> str:
    """Say how long after a read, or another write, something was written, where both times are known."""
    written_at = entry.written_at_microseconds
    return f" {later(written_at - then)}" if then and written_at else ""
