"""Outcome mismatches: what a caller was told is not what the ledger says.

Rule: an `ok` operation whose entry is absent from the ledger, or a `fail` operation with an applied entry. Attempts
with one key are one operation: a failed attempt says nothing where another one was `ok` or is unknown. An `info`
operation (a timeout, a broken connection) may be either.

Source: ok, fail and info of Jepsen's histories; Kingsbury and Alvaro, Elle, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_bank.audit.history import Entry, History, Operation


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
        what = f"operation {self.operation.key} ({signed(self.operation.amount_cents)})"
        if self.applied is None:
            return f"{what} was acknowledged, but the ledger does not hold it"
        told = self.operation.outcome or self.operation.error or "not applied"
        return f"{what} was answered as {told}, but {self.applied.replica} applied it"


@detector(OutcomeMismatch, "outcome mismatch")
def outcome_mismatches(history: History) -> Iterator[OutcomeMismatch]:
    """Yield acknowledged operations that are absent, and failed ones that are present."""
    applied = history.applied
    perhaps_applied = {operation.key for operation in history.operations if operation.type != "fail"}
    for operation in history.operations:
        entry = applied.get(operation.key)
        if operation.type == "ok":
            if entry is None or not _holds(history, operation, entry):
                yield OutcomeMismatch(operation.account, operation, None)
        elif operation.type == "fail" and entry is not None and operation.key not in perhaps_applied:
            yield OutcomeMismatch(operation.account, operation, entry)


def _holds(history: History, operation: Operation, first: Entry) -> bool:
    """Whether the ledger holds the very entry that was acknowledged, if one was named."""
    if operation.entry is None or operation.entry.int == first.id.int:
        return True
    return any(one.id == operation.entry for one in history.attempts.get(operation.key, ()))
