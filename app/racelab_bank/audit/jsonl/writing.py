"""Writes a history file: the same run that was audited, for anyone to check."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from racelab_bank.audit.jsonl.lines import NO_MINIMUM_CENTS, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from racelab_bank.audit.history import History


def write(history: History, run: str, **more: str | None) -> Iterator[bytes]:
    """Yield the lines of a history file. `more` are the first line's scenario, strategy and isolation."""
    encode = msgspec.json.Encoder().encode
    for line in chain([_first(history, run, more)], _rows(history), [_end(history)]):
        yield encode(line) + b"\n"


def _first(history: History, run: str, more: dict[str, str | None]) -> dict[str, Any]:
    told = {name: value for name, value in more.items() if value is not None}
    return {"kind": "history", "version": VERSION, "run": run, "generators": history.histories.expected} | told


def _end(history: History) -> dict[str, Any]:
    histories = history.histories
    return {
        "kind": "end",
        "accounts": len(history.tables.accounts),
        "entries": len(history.tables.entries),
        "installs": len(history.tables.installs),
        "reads": len(history.tables.reads),
        "operations": len(history.tables.operations),
        "generators": len(histories.complete | histories.lost.keys()),
    }


def _rows(history: History) -> Iterator[dict[str, Any]]:
    tables, name = history.tables, history.name
    for account in tables.accounts:
        minimum = None if account.minimum_cents == NO_MINIMUM_CENTS else account.minimum_cents
        yield {"kind": "account"} | _values(account) | {"minimum_cents": minimum, "head": name(account.head)}
    for entry in tables.entries:
        previous = None if entry.previous is None else name(entry.previous)
        yield {"kind": "entry"} | _values(entry) | {"id": name(entry.id), "previous": previous}
    for install in tables.installs:
        old = None if install.old_head is None else name(install.old_head)
        yield {"kind": "install"} | _values(install) | {"old_head": old, "new_head": name(install.new_head)}
    for read in tables.reads:
        yield {"kind": "read", "entry": name(read.entry), "account": read.account, "seen_head": name(read.seen_head)}
    for operation in tables.operations:
        values = _values(operation)
        key = values.pop("key")
        entry_id = None if operation.entry is None else name(operation.entry)
        yield {"kind": "operation", "operation": key} | values | {"entry": entry_id}
    yield from _generators(history)


def _values(row: Any) -> dict[str, Any]:
    return {field: getattr(row, field) for field in row.__slots__}


def _generators(history: History) -> Iterable[dict[str, Any]]:
    histories = history.histories
    for index in sorted(histories.complete | histories.lost.keys()):
        complete = index in histories.complete
        reason = None if complete else histories.lost[index]
        yield {"kind": "generator", "index": index, "state": "complete" if complete else "lost", "reason": reason}
