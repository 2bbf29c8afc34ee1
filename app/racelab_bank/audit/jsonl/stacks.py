"""Collects lines of one kind and makes a table's columns of them, some thousand lines at a time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from hashlib import blake2b
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np

from racelab_bank.audit import tables
from racelab_bank.audit.columns import Booleans, Ids, Integers, Keys, Words
from racelab_bank.audit.jsonl.lines import (
    NO_MINIMUM_CENTS,
    AccountLine,
    EntryLine,
    InstallLine,
    OperationLine,
    ReadLine,
)
from racelab_bank.audit.jsonl.problems import WrongHistory
from racelab_bank.audit.tables import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Column

#: How many lines are kept as objects.
_AT_ONCE: Final = 16_384
_HYPHENS: Final = (8, 13, 18, 23)
_UUID_CHARACTERS: Final = 36


class Names:
    """Ids as numbers of 128 bits: a UUID is its own, any other text is hashed, and remembered for being told.

    That two texts of a file have one hash is less likely than that the machine errs: 2⁻⁸⁰ for a billion of them.
    """

    def __init__(self) -> None:
        self.told: dict[UUID, str] = {}

    def ids(self, texts: Sequence[str | None]) -> Ids:
        """Return a column of these ids."""
        there = [text or "" for text in texts]
        known = None
        if None in texts:
            known = np.fromiter((text is not None for text in texts), np.bool_, len(texts))
            there = [text if text is not None else _NIL for text in texts]
        joined = "".join(there)
        if len(joined) == _UUID_CHARACTERS * len(there) and joined.isascii():
            found = _canonical(joined.encode())
            if found is not None:
                return Ids.from_bytes(found, known)
        return Ids.from_bytes(b"".join(self._one(text).bytes for text in there), known)

    def _one(self, text: str) -> UUID:
        if len(text) == _UUID_CHARACTERS:
            found = _canonical(text.encode(errors="replace"))
            if found is not None:
                return UUID(bytes=found)
        hashed = UUID(bytes=blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest())
        self.told[hashed] = text
        return hashed


_NIL: Final = "00000000-0000-0000-0000-000000000000"


def _canonical(joined: bytes) -> bytes | None:
    """Return the bytes of UUIDs that are written as 36 characters each; None where one of them is not."""
    if len(joined) % _UUID_CHARACTERS:
        return None
    letters = np.frombuffer(joined, np.uint8).reshape(-1, _UUID_CHARACTERS)
    if not (letters[:, _HYPHENS] == ord("-")).all():
        return None
    digits = np.delete(letters, _HYPHENS, axis=1).tobytes()
    if b" " in digits or b"-" in digits or not digits.isalnum():
        return None
    try:
        return bytes.fromhex(digits.decode())
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """How lines of one kind become rows of a table.

    `renamed`: fields of the table that the line calls otherwise. `defaults`: what stands for null where rows need a
    value.
    """

    line: type[Any]
    table: type[tables.Table[Any]]
    renamed: Mapping[str, str]
    defaults: Mapping[str, Any]


ACCOUNTS: Final = Shape(AccountLine, tables.Accounts, {}, {"minimum_cents": NO_MINIMUM_CENTS})
ENTRIES: Final = Shape(EntryLine, tables.Entries, {}, {"transaction": 0, "written_at_microseconds": 0})
INSTALLS: Final = Shape(InstallLine, tables.Installs, {}, {"transaction": 0})
READS: Final = Shape(ReadLine, tables.Reads, {}, {})
OPERATIONS: Final = Shape(OperationLine, tables.Operations, {"key": "operation"}, {})


@dataclass(frozen=True, slots=True, eq=False)
class Numbered:
    """A table, and the line of each of its rows."""

    table: Any
    lines: NDArray[np.int64]


class Stack:
    """Lines of one kind, in the order in which they came. `count` is how many."""

    def __init__(self, shape: Shape, names: Names) -> None:
        self.shape = shape
        self.count = 0
        self._names = names
        self._kinds = kinds(shape.table)
        self._waiting: list[Any] = []
        self._numbers: list[int] = []
        self._parts: list[Any] = []
        self._lines: list[NDArray[np.int64]] = []

    def add(self, number: int, line: Any) -> None:
        """Add a line and its number."""
        self._waiting.append(line)
        self._numbers.append(number)
        self.count += 1
        if len(self._waiting) >= _AT_ONCE:
            self._pack()

    def _pack(self) -> None:
        columns = []
        for name, kind in self._kinds.items():
            values = list(map(attrgetter(self.shape.renamed.get(name, name)), self._waiting))
            if name in self.shape.defaults:
                default = self.shape.defaults[name]
                values = [default if value is None else value for value in values]
            columns.append(self._column(kind, values))
        self._parts.append(self.shape.table(*columns))
        self._lines.append(np.array(self._numbers, np.int64))
        self._waiting, self._numbers = [], []

    def _column(self, kind: Any, values: list[Any]) -> Column:
        if kind is Ids:
            return self._names.ids(values)
        if kind is Keys:
            for number, value in zip(self._numbers, values, strict=True):
                if "\0" in value:
                    raise WrongHistory(number, "operation: has a NUL character in it, which no key has")
        column: Column = kind.of(values)
        return column

    def table(self) -> Numbered:
        """Return all of them as one table."""
        self._pack()
        parts, self._parts = self._parts, []
        columns = [
            joined([getattr(part, one.name) for part in parts])
            for one in fields(self.shape.table)  # type: ignore[arg-type]
        ]
        return Numbered(self.shape.table(*columns), np.concatenate(self._lines))


def joined(parts: Sequence[Any]) -> Column:
    """Return one column of several of one kind."""
    return _JOINS[type(parts[0])](parts)


def _known(parts: Sequence[Any]) -> NDArray[np.bool_] | None:
    if all(part.known is None for part in parts):
        return None
    return np.concatenate([np.ones(len(part), np.bool_) if part.known is None else part.known for part in parts])


def _words(parts: Sequence[Words]) -> Words:
    numbers: dict[str, int] = {}
    codes = []
    for part in parts:
        place = np.array([numbers.setdefault(text, len(numbers)) for text in part.vocabulary], np.int32)
        codes.append(place[part.codes])
    return Words(np.concatenate(codes), tuple(numbers), _known(parts))


_JOINS: Final[Mapping[type[Any], Callable[[Sequence[Any]], Column]]] = {
    Integers: lambda parts: Integers(np.concatenate([part.values for part in parts]), _known(parts)),
    Booleans: lambda parts: Booleans(np.concatenate([part.values for part in parts])),
    Keys: lambda parts: Keys(np.concatenate([part.values for part in parts])),
    Ids: lambda parts: Ids(
        np.concatenate([part.high for part in parts]), np.concatenate([part.low for part in parts]), _known(parts)
    ),
    Words: _words,
}
