"""Shown, or prevented and how: told from what was observed, in the same words in which it is expected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.script import LEVELS

SERIALIZATION_FAILURE: Final = "40001"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an anomaly at one level.

    `shown`: it happened. Otherwise it was prevented: `aborted`, the database refused a statement with `sqlstate`;
    `blocked`, none was refused, but one had to wait until another transaction had ended; `snapshot`, nobody waited and
    nobody was refused, and what the statements saw in their snapshots does not make up the anomaly. `transaction` and
    `statement` (counted within the transaction, from 1) say where: the first one aborted, or the first one that waited.
    """

    kind: Literal["shown", "snapshot", "blocked", "aborted"]
    transaction: str = ""
    statement: int = 0
    sqlstate: str = ""


#: An outcome per level, for all of `LEVELS`.
Outcomes: TypeAlias = Mapping[str, Outcome]

Shown: Final = Outcome("shown")
Snapshot: Final = Outcome("snapshot")


def blocked(transaction: str, statement: int) -> Outcome:
    """Prevented, since that statement waits for another transaction's end."""
    return Outcome("blocked", transaction, statement)


def aborted(transaction: str, statement: int, sqlstate: str = SERIALIZATION_FAILURE) -> Outcome:
    """Prevented, since the database aborts the transaction at that statement."""
    return Outcome("aborted", transaction, statement, sqlstate)


def expected(
    *, autocommit: Outcome, read_committed: Outcome, repeatable_read: Outcome, serializable: Outcome
) -> Outcomes:
    """Outcomes that differ with the level."""
    return dict(zip(LEVELS, (autocommit, read_committed, repeatable_read, serializable), strict=True))


def how_prevented(observation: Observation) -> Outcome:
    """Return by which means the database kept an anomaly away that did not show."""
    for one in observation.performed:
        if one.sqlstate is not None:
            return aborted(one.transaction, one.statement, one.sqlstate)
    for one in observation.performed:
        if one.blocked_by is not None:
            return blocked(one.transaction, one.statement)
    return Snapshot
