"""Double spends: one operation was applied more than once.

Rule: entries with different ids bear the same operation key within one run. A caller that repeats a request repeats its
key, so at most one attempt may be applied. The legs of one posting share one id and are one attempt. Entries without a
key are not judged.

Source: the idempotency key of payment interfaces; at-most-once execution in Birrell and Nelson, Implementing Remote
Procedure Calls, 1984.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import operation, signed

if TYPE_CHECKING:
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class DoubleSpend(Anomaly):
    """One operation's applied `attempts`: the first leg of each, in the order they were written."""

    kind: ClassVar[str] = "double_spend"
    attempts: tuple[Entry, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The attempts."""
        return self.attempts

    @property
    def sentence(self) -> str:
        """Which operation, how often, where."""
        first = self.attempts[0]
        replicas = dict.fromkeys(attempt.replica for attempt in self.attempts if attempt.replica)
        where = f", on {', '.join(replicas)}" if replicas else ""
        times = len(self.attempts)
        return f"{operation(first)} ({signed(first.amount_cents)}) was applied {times} times{where}"


@detector(DoubleSpend, "double spend")
def double_spends(history: History) -> Lazy[DoubleSpend]:
    """Find the operations with several applied attempts."""
    keys, postings = history.keys, history.postings
    attempts = postings.first[keys.keyed[postings.first]]
    key = keys.of_entry[attempts]
    several = np.bincount(key, minlength=keys.count) > 1
    found = np.flatnonzero(several)
    order = np.argsort(key, kind="stable")
    ordered_keys = key[order]

    def make(number: int) -> DoubleSpend:
        begin, end = np.searchsorted(ordered_keys, [number, number + 1])
        applied = (postings.entries(int(posting))[0] for posting in postings.of_entry[attempts[order[begin:end]]])
        ordered = tuple(sorted(applied, key=lambda entry: (entry.written_at_microseconds, entry.id)))
        return DoubleSpend(ordered[0].account, ordered)

    return Lazy(found[np.argsort(keys.first_entry[found], kind="stable")], make)
