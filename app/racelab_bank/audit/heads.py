"""Heads: ids by account, as numbers. Nearly all of them are known without looking, and only the others are looked for.

A ledger is written in one order: the k-th install is mostly that of the k-th entry, it replaced the head of the version
before it, and that is what its writer had read. Each of these is compared, row by row; what differs is interned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from racelab_bank.audit.columns import Ids, everything
from racelab_bank.audit.interning import intern

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Flags
    from racelab_bank.audit.history import Tables

#: No head.
NONE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """Numbers of heads, one element per row: two are the same exactly when id and account are. `NONE` where none is.

    An entry has an `own` head on its account, and the `previous` one that its writer had read; an install has a `new`
    and an `old` one; a read has what was `seen`, and the `reader`'s own on the account that it read.
    """

    own: NDArray[np.int32]
    previous: NDArray[np.int32]
    new: NDArray[np.int32]
    old: NDArray[np.int32]
    account: NDArray[np.int32]
    seen: NDArray[np.int32]
    reader: NDArray[np.int32]
    count: int

    @classmethod
    def of(
        cls,
        tables: Tables,
        entry_account: NDArray[np.intp],
        install_account: NDArray[np.intp],
        read_account: NDArray[np.intp],
        order: NDArray[np.intp],
    ) -> Heads:
        """Return the heads of all tables, given the rows of accounts; `order` is that of installs as versions."""
        entries, installs, reads = tables.entries, tables.installs, tables.reads
        aligned = _same(entries.id, installs.new_head)
        both = min(len(entries), len(installs))
        aligned[:both] &= entry_account[:both] == install_account[:both]
        follows = _following(installs.old_head, installs.new_head, install_account, order)
        as_replaced = _same(installs.old_head, entries.previous)
        as_replaced[:both] &= aligned[:both]
        (own, new, old, previous, account, seen, reader), count = _interned(
            (entries.id, entry_account, None),
            (installs.new_head, install_account, ~aligned),
            (installs.old_head, install_account, ~follows),
            (entries.previous, entry_account, ~as_replaced),
            (tables.accounts.head, np.arange(len(tables.accounts)), None),
            (reads.seen_head, read_account, None),
            (reads.entry, read_account, None),
        )
        new[aligned] = own[:both][aligned[:both]]
        before = np.empty_like(old)
        before[order] = np.roll(new[order], 1)
        old[follows] = before[follows]
        previous[as_replaced] = old[:both][as_replaced[:both]]
        return cls(own, previous, new, old, account, seen, reader, count)


def _same(one: Ids, other: Ids) -> Flags:
    """Return, per row of the other, whether the same row of the one has the same id."""
    same = np.zeros(len(other), np.bool_)
    part = slice(0, min(len(one), len(other)))
    same[part] = (one.high[part] == other.high[part]) & (one.low[part] == other.low[part])
    same[part] &= everything(one)[part] & everything(other)[part]
    return same


def _following(old: Ids, new: Ids, account: NDArray[np.intp], order: NDArray[np.intp]) -> Flags:
    """Return, per install, whether it replaced the head of the version before it."""
    before = np.roll(order, 1)
    ordered = (old.high[order] == new.high[before]) & (old.low[order] == new.low[before])
    ordered &= (account[order] == account[before]) & everything(old)[order]
    ordered[:1] = False
    follows = np.empty(len(order), np.bool_)
    follows[order] = ordered
    return follows


def _interned(*parts: tuple[Ids, NDArray[np.intp], Flags | None]) -> tuple[list[NDArray[np.int32]], int]:
    """Return numbers of ids by account, of each part those that are wanted and known; the others are `NONE`."""
    wanted = []
    for ids, _, flags in parts:
        chosen = flags if ids.known is None else ids.known if flags is None else flags & ids.known
        wanted.append(None if chosen is None else np.flatnonzero(chosen))
    words = [
        (ids.high, ids.low, accounts) if rows is None else (ids.high[rows], ids.low[rows], accounts[rows])
        for (ids, accounts, _), rows in zip(parts, wanted, strict=True)
    ]
    codes, count = intern(*words)
    numbered = []
    for (ids, _, _), rows, found in zip(parts, wanted, codes, strict=True):
        if rows is None:
            numbered.append(found)
            continue
        sparse = np.full(len(ids), NONE, np.int32)
        sparse[rows] = found
        numbered.append(sparse)
    return numbered, count
