"""The order of installs: what serial orders are told against, so that one which follows it takes hardly any room."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.history import History


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """An order of postings: `postings` are their numbers in order, `rank` is each posting's place in it."""

    postings: NDArray[np.intp]
    rank: NDArray[np.int64]

    def encode(self, serial: NDArray[np.intp]) -> str:
        """Return a serial order as text: places in this order, each less the one before and one, 32 bits, deflated."""
        differences = np.diff(self.rank[serial], prepend=-1) - 1
        return base64.b64encode(zlib.compress(differences.astype("<i4").tobytes())).decode()

    def decode(self, text: str) -> NDArray[np.intp]:
        """Return the serial order that `encode` has written. Raises `ValueError` for a text that is none."""
        try:
            inflated = zlib.decompress(base64.b64decode(text, validate=True))
            differences = np.frombuffer(inflated, "<i4").astype(np.int64)
        except (ValueError, zlib.error) as error:
            raise ValueError(f"the order is no base64 of deflated 32-bit numbers: {error}") from None
        places = np.cumsum(differences + 1) - 1
        if not np.array_equal(np.sort(places), np.arange(len(self.postings))):
            wanted = len(self.postings)
            raise ValueError(f"the order has {len(places)} places, for {wanted} operations; each must be there once")
        return self.postings[places]


def order_of_installs(history: History) -> Order:
    """Order postings by their last installs; then those of derived accounts, by what they had seen."""
    versions, postings, entries = history.versions, history.postings, history.tables.entries
    sequence = np.full(len(postings), -1, np.int64)
    there = np.flatnonzero(versions.has_entry)
    installed = history.tables.installs.sequence.values[versions.install[there]]
    there = there[np.argsort(installed, kind="stable")]
    sequence[history.dependencies.writer[there]] = np.arange(len(there))
    if (sequence < 0).any():
        ids, seen = entries.id, entries.seen_entries.values[postings.first]
        order = np.lexsort((ids.low[postings.first], ids.high[postings.first], seen, sequence, sequence < 0))
    else:
        order = np.argsort(sequence)
    return Order(order, ranks(order))


def ranks(order: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return each posting's place in an order."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank
