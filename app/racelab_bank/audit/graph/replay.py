"""Perform postings again, one after the other in a given order, and compare with everything that was recorded.

This is what makes a serial order a proof: it does not look at how the order was found. Each balance, before and after,
each head that was read, each sum, and each account's end must come out as it stands in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.columns import everything
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.interning import changes
from racelab_bank.audit.words import money, operation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Flags, Integers, Numbers
    from racelab_bank.audit.history import History


@dataclass(frozen=True, slots=True, eq=False)
class _Performed:
    """The legs as they were performed: rows of entries, the accounts' rows, what was there before and after each."""

    row: NDArray[np.intp]
    account: NDArray[np.intp]
    before_cents: Numbers
    after_cents: Numbers
    head_before: NDArray[np.int32]


def replay(history: History, rank: NDArray[np.int64]) -> str | None:
    """Apply the postings in the order of `rank`, one number per posting; say what comes out otherwise, or None."""
    order = _order(history, rank)
    done = _perform(history, order)
    return _balances(history, done) or _heads(history, done, rank, order) or _ends(history, done)


def _order(history: History, rank: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the rows of entries, account by account in the order of their postings."""
    return np.argsort(_places(history, rank), kind="stable")


def _places(history: History, rank: NDArray[np.int64]) -> NDArray[np.int64]:
    count = np.int64(max(1, len(history.postings)))
    return history.versions.entry_account.astype(np.int64) * count + rank[history.postings.of_entry]


def _perform(history: History, order: NDArray[np.intp]) -> _Performed:
    versions = history.versions
    account = versions.entry_account[order]
    amounts = history.cents(history.tables.entries.amount_cents)[order]
    running = np.cumsum(amounts, dtype=amounts.dtype)
    first = changes(account)
    begins = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0)) if len(order) else order
    after = running - (running[begins] - amounts[begins]) + history.sums.opening_cents[account]
    head_before = np.roll(versions.own[order], 1)
    head_before[first] = versions.opening_head[account[first]]
    return _Performed(order, account, after - amounts, after, head_before)


def _balances(history: History, done: _Performed) -> str | None:
    entries, versions, installs = history.tables.entries, history.versions, history.tables.installs
    version = versions.version_of_entry[done.row]
    installed = version != NONE
    install = versions.install[version] if len(versions) else np.zeros(len(version), np.intp)
    compared: tuple[tuple[Integers, NDArray[np.intp], Flags, Numbers, str], ...] = (
        (entries.balance_before_cents, done.row, everything(entries.balance_before_cents)[done.row],
         done.before_cents, "read"),
        (entries.balance_after_cents, done.row, everything(entries.balance_after_cents)[done.row],
         done.after_cents, "left"),
        (installs.old_balance_cents, install, installed, done.before_cents, "replaced"),
        (installs.new_balance_cents, install, installed, done.after_cents, "installed"),
    )  # fmt: skip
    for column, rows, known, expected, verb in compared:
        if not len(column):
            continue
        recorded = history.cents(column)[rows]
        wrong = known & np.asarray(recorded != expected, np.bool_)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            return _told(history, done, at, f"{verb} {money(int(recorded[at]))}", money(int(expected[at])))
    seen = entries.seen_entries
    order = np.arange(len(done.row)) - np.searchsorted(done.account, done.account)
    told = everything(seen)[done.row] & history.tables.accounts.derived.values[done.account]
    wrong = told & (seen.values[done.row] != order)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        number = int(seen.values[done.row[at]])
        return _told(history, done, at, f"had summed up {number} entries", str(int(order[at])))
    return None


def _told(history: History, done: _Performed, at: int, recorded: str, expected: str) -> str:
    entry = history.tables.entries[int(done.row[at])]
    return f"{operation(entry)} {recorded} on account {entry.account}, but performed in turn it is {expected}"


def _heads(history: History, done: _Performed, rank: NDArray[np.int64], order: NDArray[np.intp]) -> str | None:
    versions, reads = history.versions, history.dependencies.reads
    # A derived account keeps its head, whatever is added to it.
    derived = history.tables.accounts.derived.values
    previous = versions.previous[done.row]
    wrong = (previous != NONE) & (previous != done.head_before) & ~derived[done.account]
    if wrong.any():
        entry = history.tables.entries[int(done.row[np.flatnonzero(wrong)[0]])]
        return f"{operation(entry)} read another version of account {entry.account} than the one in turn"
    version = versions.version_of_entry[done.row]
    # Equal and opposite amounts can give the right balances in a wrong order.
    wrong = (version != NONE) & ((versions.old[version] if len(versions) else NONE) != done.head_before)
    if wrong.any():
        entry = history.tables.entries[int(done.row[np.flatnonzero(wrong)[0]])]
        return f"{operation(entry)} replaced another version of account {entry.account} than the one in turn"
    count = np.int64(max(1, len(history.postings)))
    places = _places(history, rank)[order]
    at = np.searchsorted(places, reads.account.astype(np.int64) * count + rank[reads.posting])
    # Whoever stands before the reader on the account has written what it should have seen.
    before = np.where(at > 0, order[at - 1], NONE) if len(order) else np.full(len(at), NONE)
    same = (before != NONE) & (versions.entry_account[before] == reads.account if len(order) else False)
    expected = np.where(same, versions.own[before] if len(order) else NONE, versions.opening_head[reads.account])
    overlooked = (versions.seen[reads.row] != expected) & ~derived[reads.account]
    if overlooked.any():
        read = history.tables.reads[int(reads.row[np.flatnonzero(overlooked)[0]])]
        return f"entry {history.name(read.entry)} saw another version of account {read.account} than the one in turn"
    return None


def _ends(history: History, done: _Performed) -> str | None:
    end = history.sums.opening_cents.copy()
    last = np.append(done.account[1:] != done.account[:-1], True)[: len(done.account)]
    end[done.account[last]] = done.after_cents[last]
    wrong = np.asarray(end != history.sums.balance_cents, np.bool_)
    if not wrong.any():
        return None
    row = int(np.flatnonzero(wrong)[0])
    account, balance = history.tables.accounts[row], money(int(history.sums.balance_cents[row]))
    return f"account {account.id} holds {balance}, but performed in turn it is {money(int(end[row]))}"
