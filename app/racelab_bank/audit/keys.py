"""Operation keys: which entries and which of the generators' operations are of one operation."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.heads import NONE
from racelab_bank.audit.interning import first_rows, intern

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Flags
    from racelab_bank.audit.history import Tables
    from racelab_bank.audit.postings import Postings


class KeyIndex:
    """Keys are numbered from 0: `of_entry` and `of_operation` have one element per row of those tables.

    Entries without a key belong to nobody: they have the number `nobody`.
    """

    def __init__(self, tables: Tables, postings: Postings) -> None:
        entries, operations = tables.entries.operation, tables.operations.key
        width = max(entries.width, operations.width)
        # Most operations name their entry, whose key is theirs: only the others are looked for.
        row = postings.first[postings.of_operation] if len(postings) else postings.of_operation
        same = (postings.of_operation != NONE) & (entries.values[row] == operations.values if len(entries) else False)
        others = np.flatnonzero(~same)
        parts = (
            entries.words(width),
            [one[others] for one in operations.words(width)],
            [np.zeros(1, np.uint64)] * width,
        )
        (self.of_entry, found, nobody), self.count = intern(*parts)
        self.of_operation = self.of_entry[row] if len(entries) else np.empty(len(operations), np.int32)
        self.of_operation[others] = found
        self.nobody = int(nobody[0])
        self._types = tables.operations.type

    @cached_property
    def keyed(self) -> Flags:
        """Per entry, whether it has a key."""
        return self.of_entry != self.nobody

    @cached_property
    def first_entry(self) -> NDArray[np.intp]:
        """Per key, the row of its first entry; −1 where it has none."""
        first = first_rows(self.of_entry, self.count)
        first[self.nobody] = NONE
        return first

    @property
    def applied(self) -> Flags:
        """Per key, whether there is an entry of it."""
        return self.first_entry >= 0

    def told(self, kind: str) -> Flags:
        """Return, per key, whether any of its operations is `kind`: ok, fail or info."""
        told = np.zeros(self.count, np.bool_)
        told[self.of_operation[self._types.where(kind)]] = True
        return told
