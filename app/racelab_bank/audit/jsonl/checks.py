"""What no single line of a history file shows: lines that repeat each other, and references to what is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from racelab_bank.audit.columns import Ids, Integers, Keys, Words
from racelab_bank.audit.interning import intern
from racelab_bank.audit.jsonl.problems import WrongHistory
from racelab_bank.audit.words import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from racelab_bank.audit.jsonl.stacks import Names, Numbered


@dataclass(frozen=True, slots=True, eq=False)
class Checks:
    """The tables of a file, with the lines of their rows. Each check raises `WrongHistory` for the first wrong line."""

    accounts: Numbered
    entries: Numbered
    installs: Numbered
    reads: Numbered
    operations: Numbered
    names: Names

    def _name(self, ids: Ids, row: int) -> str:
        (one,) = ids.part(slice(row, row + 1))
        return self.names.told.get(one, str(one))

    def repetitions(self) -> None:
        """Refuse a line that says again what an earlier one has said."""
        account, entry, install = self.accounts.table, self.entries.table, self.installs.table
        read, operation = self.reads.table, self.operations.table
        _once(self.accounts, [account.id], lambda row: f"account {account.id.values[row]}")
        _once(
            self.entries,
            [entry.id, entry.leg],
            lambda row: f"leg {entry.leg.values[row]} of entry {self._name(entry.id, row)}",
        )
        _once(
            self.entries,
            [entry.id, entry.account],
            lambda row: f"a leg of entry {self._name(entry.id, row)} on account {entry.account.values[row]}",
        )
        _once(
            self.installs,
            [install.account, install.sequence],
            lambda row: f"install {install.sequence.values[row]} of account {install.account.values[row]}",
        )
        seen = [read.entry, read.account, read.seen_head]
        _once(self.reads, seen, lambda row: f"this read of entry {self._name(read.entry, row)}")
        attempt = [operation.begin_microseconds, operation.end_microseconds, operation.type]
        _once(
            self.operations,
            [operation.generator, operation.key, *attempt],
            lambda row: f"this attempt of operation {shown(operation[row].key)}",
        )

    def references(self, generators: int) -> None:
        """Refuse a line that refers to what is not there: accounts, entries, `generators`; and legs that do not fit."""
        account, entry, read = self.accounts.table, self.entries.table, self.reads.table
        for rows in (self.entries, self.installs, self.reads):
            _there(rows, rows.table.account, account.id, lambda values, row: f"account: given {values.values[row]}")
        _there(self.reads, read.entry, entry.id, lambda ids, row: f"entry: given {self._name(ids, row)}")
        _legs(self.entries)
        generator = self.operations.table.generator.values
        strange = np.flatnonzero(generator >= generators)
        if len(strange):
            row = int(strange[0])
            raise WrongHistory(
                int(self.operations.lines[row]),
                f"generator: given {generator[row]}, allowed below {generators}, which line 1 says",
            )


def _words(column: Any) -> list[NDArray[Any]]:
    if isinstance(column, Ids):
        return [column.high, column.low]
    if isinstance(column, Keys):
        return column.words(column.width)
    if isinstance(column, Words):
        return [column.codes]
    assert isinstance(column, Integers)  # noqa: S101 - no other column is checked
    return [column.values.astype(np.int64)]


def _once(rows: Numbered, columns: list[Any], what: Callable[[int], str]) -> None:
    """Refuse the first row that has the same values as an earlier one."""
    if not len(rows.lines):
        return
    ((code,), count) = intern([word for column in columns for word in _words(column)])
    if count == len(code):
        return
    # Things are numbered as they come: one that is no higher than all before it has come before.
    highest = np.maximum.accumulate(code)
    repeated = int(np.flatnonzero(np.append(False, code[1:] <= highest[:-1]))[0])
    earlier = int(np.flatnonzero(code == code[repeated])[0])
    raise WrongHistory(int(rows.lines[repeated]), f"{what(repeated)} stands in line {rows.lines[earlier]} already")


def _there(rows: Numbered, column: Any, known: Any, told: Callable[[Any, int], str]) -> None:
    """Refuse the first row that refers to what is not there."""
    if not len(rows.lines):
        return
    (there, asked), _ = intern(_words(known), _words(column))
    strange = asked > there.max(initial=-1)
    if strange.any():
        row = int(np.flatnonzero(strange)[0])
        raise WrongHistory(int(rows.lines[row]), f"{told(column, row)}, which has no line of its own in this file")


def _legs(entries: Numbered) -> None:
    table = entries.table
    beyond = np.flatnonzero(table.leg.values >= table.leg_count.values)
    if len(beyond):
        row = int(beyond[0])
        leg, count = table.leg.values[row], table.leg_count.values[row]
        raise WrongHistory(
            int(entries.lines[row]), f"leg: given {leg}, allowed 0 to {count - 1}, as leg_count is {count}"
        )
    if not len(table):
        return
    (code,), count = intern([table.id.high, table.id.low])
    for name, values in (("leg_count", table.leg_count.values), ("operation", table.operation.values)):
        first = np.empty(count, values.dtype)
        first[code[::-1]] = values[::-1]
        other = np.flatnonzero(first[code] != values)
        if len(other):
            row = int(other[0])
            raise WrongHistory(
                int(entries.lines[row]), f"{name}: differs from that of an earlier leg of the same entry"
            )
