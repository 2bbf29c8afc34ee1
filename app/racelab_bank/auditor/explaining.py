"""Explains runs: who was lost, to whom, and in which interleaving."""

from itertools import islice
from typing import Any

from racelab_bank.audit.history import History
from racelab_bank.audit.interleaving import interleavings
from racelab_bank.audit.interleaving.drawing import as_svg
from racelab_bank.audit.interleaving.making import drawable
from racelab_bank.audit.interleaving.text import as_text
from racelab_bank.auditor import rows
from racelab_bank.models import Run


class UnknownOperation(Exception):
    """There is no operation of that key in the run: 404."""


def explain(run: Run, *, operation: str | None, offset: int, limit: int, drawing: bool) -> dict[str, Any]:
    """Return a page of the run's interleavings, and what is to be said where there is none.

    `count` is how many there are in all; of one operation how many are on this page. Raises `UnknownOperation`.
    """
    with rows.snapshot():
        history = rows.history(run)
    if operation is not None and not (_applied(history, operation) or _sent(history, operation)):
        raise UnknownOperation(f"run {run.key} has no operation {operation}")
    found = list(islice(interleavings(history, about=operation, offset=offset), limit))
    return {
        "run": run.key,
        "count": drawable(history) if operation is None else len(found),
        "told": None if found else _nothing(history, operation),
        "interleavings": [
            one.to_json() | {"text": as_text(one), "svg": as_svg(one) if drawing else None} for one in found
        ],
    }


def _applied(history: History, operation: str) -> bool:
    return history.tables.entries.operation.holds(operation)


def _sent(history: History, operation: str) -> bool:
    return history.tables.operations.key.holds(operation)


def _nothing(history: History, operation: str | None) -> str:
    if operation is None:
        return "no operation was lost, and no two overlooked each other"
    if _applied(history, operation):
        return f"operation {operation} is in the ledger: nobody overwrote it, and it overwrote nobody"
    return f"operation {operation} was not applied: the ledger does not hold it"
