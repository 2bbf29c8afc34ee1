"""Torn writes: one half of a write is there, the other is not.

Rule: an install without an entry, or an entry without an install. Judged in the final audit only: while load runs, a
writer without a transaction has always done one half before the other.

Source: atomicity, the A of ACID; Haerder and Reuter, Principles of Transaction-Oriented Database Recovery, 1983.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from racelab_bank.audit.history import Entry, Install
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import money, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_bank.audit.history import History


@dataclass(frozen=True, slots=True)
class TornWrite(Anomaly):
    """`half` is there: an install without its entry, or an entry without its install."""

    kind: ClassVar[str] = "torn_write"
    half: Install | Entry

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entry, when that is the half that is there."""
        return (self.half,) if isinstance(self.half, Entry) else ()

    @property
    def sentence(self) -> str:
        """Which half is there."""
        half = self.half
        if isinstance(half, Entry):
            return (
                f"operation {half.operation} ({signed(half.amount_cents)}) on {half.replica} is in the ledger of "
                f"account {self.account}, but its balance was never written"
            )
        return (
            f"the balance of account {self.account} was changed by "
            f"{signed(half.new_balance_cents - half.old_balance_cents)} to {money(half.new_balance_cents)}, "
            "but no entry of its own tells why"
        )


@detector(TornWrite, "torn write", final_only=True)
def torn_writes(history: History) -> Iterator[TornWrite]:
    """Yield installs without an entry, then entries without an install, account by account."""
    for account, timeline in history.timelines.items():
        if not timeline.torn:
            continue
        for install, entry in zip(timeline.installs, timeline.matched, strict=True):
            if entry is None:
                yield TornWrite(account, install)
        for entry in timeline.lone_entries:
            yield TornWrite(account, entry)
