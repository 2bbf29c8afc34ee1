"""Outcome mismatches: what a caller was told is not what the ledger says.

Rule: an `ok` operation whose entry is absent from the ledger, or a `fail` operation with an applied entry. Attempts
with one key are one operation: a failed attempt says nothing where another one was `ok` or is unknown. An `info`
operation (a timeout, a broken connection) may be either.

Source: ok, fail and info of Jepsen's histories; Kingsbury and Alvaro, Elle, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.columns import everything
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import shown, signed

if TYPE_CHECKING:
    from racelab_bank.audit.columns import Flags
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry, Operation


@dataclass(frozen=True, slots=True)
class OutcomeMismatch(Anomaly):
    """`operation` is as its caller saw it; `applied` is the entry that contradicts a `fail`, None for an absent one."""

    kind: ClassVar[str] = "outcome_mismatch"
    operation: Operation
    applied: Entry | None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entry that should not be there."""
        return () if self.applied is None else (self.applied,)

    @property
    def operations(self) -> tuple[str, ...]:
        """The operation's key."""
        return (self.operation.key,)

    @property
    def sentence(self) -> str:
        """What was said, and what is."""
        what = f"operation {shown(self.operation.key)} ({signed(self.operation.amount_cents)})"
        if self.applied is None:
            return f"{what} was acknowledged, but the ledger does not hold it"
        told = self.operation.outcome or self.operation.error or "not applied"
        return f"{what} was answered as {told}, but {self.applied.replica} applied it"


@detector(OutcomeMismatch, "outcome mismatch")
def outcome_mismatches(history: History) -> Lazy[OutcomeMismatch]:
    """Find acknowledged operations that are absent, and failed ones that are present."""
    keys, operations, entries = history.keys, history.tables.operations, history.tables.entries
    key = keys.of_operation
    applied = keys.applied[key] if len(key) else np.zeros(0, np.bool_)
    acknowledged = operations.type.where("ok")
    harmless = keys.told("ok") | keys.told("info")
    denied = operations.type.where("fail") & applied & ~harmless[key]
    wrong = denied | (acknowledged & ~(applied & _holds(history)))

    def make(row: int) -> OutcomeMismatch:
        operation = operations[row]
        applied = entries[int(keys.first_entry[key[row]])] if denied[row] else None
        return OutcomeMismatch(operation.account, operation, applied)

    return Lazy(np.flatnonzero(wrong), make)


def _holds(history: History) -> Flags:
    """Return, per operation, whether the ledger holds the very entry that was acknowledged, if one was named."""
    keys, postings = history.keys, history.postings
    posting = postings.of_operation
    unnamed = ~everything(history.tables.operations.entry)
    if not len(postings):
        return unnamed
    return unnamed | ((posting != NONE) & (keys.of_entry[postings.first[posting]] == keys.of_operation))
