"""Half postings: some legs of a posting are in the ledger, others are not.

Rule: an entry id has fewer legs in the ledger than its `leg_count` says. Judged in the final audit only: while load
runs, a writer without a transaction writes one leg after the other.

Source: atomicity, the A of ACID; Haerder and Reuter, Principles of Transaction-Oriented Database Recovery, 1983. That
the legs of a transfer add up to nothing is the invariant of Jepsen's bank test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import signed, who

if TYPE_CHECKING:
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class HalfPosting(Anomaly):
    """The `legs` that are there, in their order: fewer than they say."""

    kind: ClassVar[str] = "half_posting"
    legs: tuple[Entry, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The legs that are there."""
        return self.legs

    @property
    def sentence(self) -> str:
        """Which legs are there, of how many."""
        first = self.legs[0]
        there = ", ".join(f"{signed(leg.amount_cents)} on account {leg.account}" for leg in self.legs)
        return f"{who(first)} has {len(self.legs)} of its {first.leg_count} legs in the ledger: {there}"


@detector(HalfPosting, "half posting", final_only=True)
def half_postings(history: History) -> Lazy[HalfPosting]:
    """Find the postings of several legs that are not all there."""
    postings = history.postings
    wanted = history.tables.entries.leg_count.values[postings.first]

    def make(posting: int) -> HalfPosting:
        legs = tuple(postings.entries(posting))
        return HalfPosting(legs[0].account, legs)

    return Lazy(np.flatnonzero(postings.legs < wanted), make)
