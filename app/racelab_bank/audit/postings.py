"""Postings: entries that share an id are the legs of one posting, which is one operation's one applied attempt."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.columns import everything
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.interning import first_rows, intern

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.history import Tables
    from racelab_bank.audit.rows import Entry


class Postings:
    """Numbered in the order of their first entries: `of_entry`, `of_read`, `of_operation` have one element per row.

    A read of an entry that is not there is of the posting `NONE`, and so is an operation that names no such entry.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        ids = (tables.entries.id, tables.reads.entry, tables.operations.entry)
        (own, read, named), _ = intern(*((one.high, one.low) for one in ids))
        # Things are numbered as they come first, and entries come before all others.
        known = int(own.max(initial=NONE)) + 1
        self.first = first_rows(own, known)
        self.of_entry: NDArray[np.int32] = own
        self.of_read: NDArray[np.int32] = np.where(read < known, read, NONE).astype(np.int32)
        there = everything(tables.operations.entry) & (named < known)
        self.of_operation: NDArray[np.int32] = np.where(there, named, NONE).astype(np.int32)

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def legs(self) -> NDArray[np.intp]:
        """How many legs of each are there."""
        return np.bincount(self.of_entry, minlength=len(self))

    @cached_property
    def by_posting(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The rows of entries, posting by posting in their order of legs, and where each posting's begin."""
        order = np.lexsort((self._tables.entries.leg.values, self.of_entry))
        return order, np.searchsorted(self.of_entry[order], np.arange(len(self) + 1))

    def rows(self, posting: int) -> NDArray[np.intp]:
        """Return the rows of the legs of a posting, in their order."""
        order, starts = self.by_posting
        return order[starts[posting] : starts[posting + 1]]

    def entries(self, posting: int) -> list[Entry]:
        """Return the legs of a posting, in their order."""
        return self._tables.entries.at(self.rows(posting))
