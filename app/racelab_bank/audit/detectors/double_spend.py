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

from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_bank.audit.history import Entry, History


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
        where = ", ".join(dict.fromkeys(attempt.replica for attempt in self.attempts))
        return (
            f"operation {first.operation} ({signed(first.amount_cents)}) was applied {len(self.attempts)} times, "
            f"on {where}"
        )


@detector(DoubleSpend, "double spend")
def double_spends(history: History) -> Iterator[DoubleSpend]:
    """Yield the operations with several applied attempts."""
    for entries in history.attempts.values():
        attempts = {entry.id: entry for entry in sorted(entries, key=lambda entry: entry.leg, reverse=True)}
        if len(attempts) > 1:
            ordered = tuple(sorted(attempts.values(), key=lambda entry: (entry.written_at_microseconds, entry.id)))
            yield DoubleSpend(ordered[0].account, ordered)
