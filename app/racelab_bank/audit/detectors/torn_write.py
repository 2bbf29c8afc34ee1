"""Torn writes: one half of a write is there, the other is not.

Rule: an install without an entry, or an entry without an install. Judged in the final audit only: while load runs, a
writer without a transaction has always done one half before the other.

Source: atomicity, the A of ACID; Haerder and Reuter, Principles of Transaction-Oriented Database Recovery, 1983.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.rows import Entry, Install
from racelab_bank.audit.words import money, signed, who_and_what

if TYPE_CHECKING:
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
            return f"{who_and_what(half)} is in the ledger of account {self.account}, but its balance was never written"
        return (
            f"the balance of account {self.account} was changed by "
            f"{signed(half.new_balance_cents - half.old_balance_cents)} to {money(half.new_balance_cents)}, "
            "but no entry of its own tells why"
        )


@detector(TornWrite, "torn write", final_only=True)
def torn_writes(history: History) -> Lazy[TornWrite]:
    """Find installs without an entry, then entries without an install, account by account."""
    versions, accounts = history.versions, history.tables.accounts
    installs, entries = history.tables.installs, history.tables.entries
    alone = np.flatnonzero(~versions.has_entry & ~accounts.derived.values[versions.account])
    # Entries are told apart from installs by being below zero: −1 is the first.
    keys = np.concatenate([versions.install[alone], -1 - versions.lone_entries])
    order = np.concatenate([versions.account[alone], versions.entry_account[versions.lone_entries]])

    def make(key: int) -> TornWrite:
        half = entries[-1 - key] if key < 0 else installs[key]
        return TornWrite(half.account, half)

    return Lazy(keys[np.argsort(order, kind="stable")], make)
