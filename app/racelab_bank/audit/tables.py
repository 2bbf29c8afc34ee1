"""A history's rows in columns: a table is a sequence of rows, each made when it is asked for.

Five million entries are five million Python objects of half a kilobyte, or sixteen arrays. Whatever looks at all rows
looks at the arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, get_type_hints, overload

from racelab_bank.audit import rows
from racelab_bank.audit.columns import Booleans, Column, Ids, Integers, Keys, Words, transposed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

Row = TypeVar("Row")

#: How many rows are made at a time while all are looked at.
_AT_ONCE = 4_096


class Table(Sequence[Row], Generic[Row]):
    """Columns of one length, named and ordered as the fields of `row`."""

    row: ClassVar[type[Any]]

    @classmethod
    def of(cls, given: Iterable[Row]) -> Self:
        """Make a table of rows. A table is returned as it is."""
        if isinstance(given, cls):
            return given
        wanted = kinds(cls)
        values = transposed(given, tuple(wanted))
        return cls(*(kind.of(column) for kind, column in zip(wanted.values(), values, strict=True)))

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns."""
        return tuple(getattr(self, name) for name in kinds(type(self)))

    def __len__(self) -> int:
        return len(self.columns[0])

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return list(self._rows(index))
        at = range(len(self))[index]
        return next(self._rows(slice(at, at + 1)))

    def __iter__(self) -> Iterator[Row]:
        for begin in range(0, len(self), _AT_ONCE):
            yield from self._rows(slice(begin, begin + _AT_ONCE))

    def _rows(self, part: slice) -> Iterator[Row]:
        return map(self.row, *(column.part(part) for column in self.columns))

    def at(self, indices: NDArray[Any]) -> list[Row]:
        """Return the rows of these indices."""
        return [self[index] for index in indices.tolist()]


@cache
def kinds(table: type[Table[Any]]) -> dict[str, Any]:
    """Return the kind of each column, by its name."""
    hints = get_type_hints(table)
    return {one.name: hints[one.name] for one in fields(table)}  # type: ignore[arg-type]  # every table is a dataclass


@dataclass(frozen=True, eq=False)
class Accounts(Table[rows.Account]):
    """See `rows.Account`."""

    row = rows.Account
    id: Integers
    opening_cents: Integers
    balance_cents: Integers
    minimum_cents: Integers
    head: Ids
    owner: Integers
    derived: Booleans


@dataclass(frozen=True, eq=False)
class Entries(Table[rows.Entry]):
    """See `rows.Entry`."""

    row = rows.Entry
    id: Ids
    leg: Integers
    leg_count: Integers
    account: Integers
    operation: Keys
    amount_cents: Integers
    balance_before_cents: Integers
    balance_after_cents: Integers
    previous: Ids
    strategy: Words
    replica: Words
    worker: Words
    transaction: Integers
    read_at_microseconds: Integers
    written_at_microseconds: Integers
    seen_entries: Integers


@dataclass(frozen=True, eq=False)
class Installs(Table[rows.Install]):
    """See `rows.Install`."""

    row = rows.Install
    sequence: Integers
    account: Integers
    old_head: Ids
    new_head: Ids
    old_balance_cents: Integers
    new_balance_cents: Integers
    transaction: Integers


@dataclass(frozen=True, eq=False)
class Reads(Table[rows.Read]):
    """See `rows.Read`."""

    row = rows.Read
    entry: Ids
    account: Integers
    seen_head: Ids


@dataclass(frozen=True, eq=False)
class Operations(Table[rows.Operation]):
    """See `rows.Operation`."""

    row = rows.Operation
    generator: Integers
    key: Keys
    type: Words
    account: Integers
    amount_cents: Integers
    status: Integers
    outcome: Words
    entry: Ids
    replica: Words
    begin_microseconds: Integers
    end_microseconds: Integers
    error: Words


class Joined(Sequence[Row], Generic[Row]):
    """Two sequences, one after the other."""

    def __init__(self, first: Sequence[Row], second: Sequence[Row]) -> None:
        self._first = first
        self._second = second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        return self._first[at] if at < len(self._first) else self._second[at - len(self._first)]
