"""What was observed, in Hermitage's notation, and outcomes in words."""

from collections.abc import Iterator
from typing import Final

from racelab_bank.isolation.observation import Observation, Performed, Rows
from racelab_bank.isolation.outcome import Outcome
from racelab_bank.isolation.script import ROLLBACK, Script

LEGEND: Final = """\
shown: the anomaly happened. Otherwise it was prevented:
snapshot: nobody waits, nobody is aborted; what the statements see in their snapshots does not make up the anomaly
T2 waits: for a lock, until another transaction has ended; nobody is aborted
40001 at T2's UPDATE: the database aborts T2 there, with this SQLSTATE
"""


def listing(observation: Observation) -> str:
    """Return the script as it was performed: a line per statement with its transaction and what became of it."""
    lines = list(_lines(observation))
    width = max(len(sql) for sql, _ in lines) + 2
    return "\n".join(f"{sql:{width}}-- {comment}" for sql, comment in lines)


def _lines(observation: Observation) -> Iterator[tuple[str, str]]:
    """Yield statements in the order in which they were said, and the ends of those that waited, each with a comment."""
    for index, one in enumerate(observation.performed):
        waits = one.blocked_by is not None
        yield (
            f"{one.sql};",
            f"{one.transaction}, BLOCKS on {one.blocked_by}" if waits else _comment(one, one.transaction),
        )
        yield from _going_on(observation, index)
    yield from _going_on(observation, None)
    yield "", f"at the end: {_shown(observation.final)}"


def _going_on(observation: Observation, after: int | None) -> Iterator[tuple[str, str]]:
    for one in observation.performed:
        if one.blocked_by is not None and one.went_on_after == after:
            yield "", _comment(one, f"{one.transaction}, now goes on")


def _comment(one: Performed, who: str) -> str:
    if one.sqlstate is not None:
        return f"{who}, ERROR {one.sqlstate}: {one.message}"
    if one.rows is not None:
        return f"{who}, shows {_shown(one.rows)}"
    if one.changed == 0:
        return f"{who}, 0 rows"
    if one.sql == ROLLBACK and one.statement == 0:
        return f"{who}, nothing else is left to it"
    return who


def _shown(rows: Rows) -> str:
    return ", ".join(f"{identity} => {value}" for identity, value in sorted(rows.items())) or "nothing"


def words(outcome: Outcome, script: Script) -> str:
    """Return an outcome in the few words of a table, as `LEGEND` explains them."""
    match outcome.kind:
        case "aborted":
            return f"{outcome.sqlstate} at {outcome.transaction}'s {_said(outcome, script).partition(' ')[0]}"
        case "blocked":
            return f"{outcome.transaction} waits"
        case kind:
            return kind


def sentence(outcome: Outcome, script: Script) -> str:
    """Return an outcome as the end of a sentence in Markdown."""
    match outcome.kind:
        case "aborted":
            said = _said(outcome, script)
            return f"prevented, {outcome.transaction} is aborted with {outcome.sqlstate} at `{said}`"
        case "blocked":
            return f"prevented, {outcome.transaction} waits at `{_said(outcome, script)}`"
        case "snapshot":
            return "prevented by what the statements see in their snapshots"
        case "shown":
            return "**shown**"


def _said(outcome: Outcome, script: Script) -> str:
    return script.of(outcome.transaction)[outcome.statement - 1]
