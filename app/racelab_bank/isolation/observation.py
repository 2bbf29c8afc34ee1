"""What was observed when a script was performed: values, from which anomalies are judged and texts are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from racelab_bank.isolation.script import ROLLBACK

BEGIN: Final = "BEGIN"

#: Rows of the table `test`: value by id.
Rows: TypeAlias = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Performed:
    """One statement as it was performed.

    `statement` counts within the transaction's part of the script, from 1; 0 for what the performer adds: the BEGIN,
    and the ROLLBACK after an abort. `rows`: what a SELECT showed. `changed`: how many rows a write changed. `sqlstate`
    and `message`: when the database aborted the transaction here. `blocked_by`: the transaction for whose lock it
    waited, until `went_on_after`, the index in `Observation.performed` of the statement that let it go on; None when
    nothing of the script did, but the database, which breaks deadlocks.
    """

    transaction: str
    sql: str
    statement: int
    rows: Rows | None = None
    changed: int | None = None
    sqlstate: str | None = None
    message: str | None = None
    blocked_by: str | None = None
    went_on_after: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """A script performed once: its statements in the order in which they were said, and the table at the end."""

    performed: tuple[Performed, ...]
    final: Rows

    def of(self, transaction: str) -> tuple[Performed, ...]:
        """Return what was performed of one transaction."""
        return tuple(one for one in self.performed if one.transaction == transaction)

    def reads(self, transaction: str) -> tuple[Rows, ...]:
        """Return what its SELECTs showed, in order; fewer than the script has when it was aborted."""
        return tuple(one.rows for one in self.of(transaction) if one.rows is not None)

    def changed(self, transaction: str) -> tuple[int, ...]:
        """Return how many rows each of its writes changed, in order; fewer than the script has when it was aborted."""
        return tuple(one.changed for one in self.of(transaction) if one.changed is not None)

    def committed(self, transaction: str) -> bool:
        """Whether all that it did is there to stay: neither aborted nor rolled back."""
        return not any(one.sqlstate is not None or one.sql == ROLLBACK for one in self.of(transaction))


#: What was observed of each anomaly, by its name and then by level.
Observations: TypeAlias = Mapping[str, Mapping[str, Observation]]
