"""One column of a table: numbers, ids or texts in NumPy arrays, and each value as Python knows it when asked.

`known` is an array of booleans where values may be missing, and None where all are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Of whole numbers, signed or unsigned; of `object` where amounts are too large for 64 bits.
Numbers: TypeAlias = NDArray[Any]
Flags: TypeAlias = NDArray[np.bool_]


def _known(values: Sequence[object]) -> Flags | None:
    known = np.fromiter((value is not None for value in values), np.bool_, len(values))
    return None if known.all() else known


@dataclass(frozen=True, slots=True, eq=False)
class Integers:
    """Whole numbers, `values` of 64 bits each; a larger one makes the column one of Python's own."""

    values: Numbers
    known: Flags | None = None

    @classmethod
    def of(cls, values: Sequence[int | None]) -> Self:
        """Make a column of Python's numbers."""
        known = _known(values)
        there = [value or 0 for value in values]
        try:
            return cls(np.array(there, dtype=np.int64), known)
        except OverflowError:
            return cls(np.array(there, dtype=object), known)

    def __len__(self) -> int:
        return len(self.values)

    def part(self, rows: slice) -> list[Any]:
        """Return the values of these rows."""
        return _part(self.values[rows].tolist(), self.known, rows)


@dataclass(frozen=True, slots=True, eq=False)
class Booleans:
    """Yes or no."""

    values: Flags
    known: None = None

    @classmethod
    def of(cls, values: Sequence[bool]) -> Self:
        """Make a column of Python's booleans."""
        return cls(np.array(values, dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.values)

    def part(self, rows: slice) -> list[Any]:
        """Return the values of these rows."""
        return list(self.values[rows].tolist())


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """UUIDs: `high` and `low` are their two halves, 64 bits each."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    known: Flags | None = None

    @classmethod
    def of(cls, values: Sequence[UUID | None]) -> Self:
        """Make a column of UUIDs."""
        nothing = bytes(16)
        joined = b"".join(nothing if value is None else value.bytes for value in values)
        return cls.from_bytes(joined, _known(values))

    @classmethod
    def from_bytes(cls, joined: bytes | bytearray | memoryview, known: Flags | None = None) -> Self:
        """Make a column of 16 bytes per UUID, the most significant first."""
        halves = np.frombuffer(joined, dtype=">u8").astype(np.uint64).reshape(-1, 2)
        return cls(np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1]), known)

    def __len__(self) -> int:
        return len(self.high)

    def part(self, rows: slice) -> list[Any]:
        """Return the values of these rows."""
        halves = zip(self.high[rows].tolist(), self.low[rows].tolist(), strict=True)
        return _part([UUID(int=high << 64 | low) for high, low in halves], self.known, rows)


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """Texts that mostly differ, as UTF-8 bytes side by side: an array of NumPy's type `S`. None of them ends in NUL."""

    values: NDArray[np.bytes_]
    known: None = None

    @classmethod
    def of(cls, values: Sequence[str]) -> Self:
        """Make a column of texts. Raises `ValueError` for one with a NUL in it."""
        if any("\0" in value for value in values):
            raise ValueError("a key has a NUL character in it, which no database stores")
        return cls(np.array([value.encode(errors="surrogatepass") for value in values], dtype=np.bytes_))

    def __len__(self) -> int:
        return len(self.values)

    def part(self, rows: slice) -> list[Any]:
        """Return the values of these rows."""
        return [value.decode(errors="surrogatepass") for value in self.values[rows].tolist()]

    def where(self, text: str) -> Flags:
        """Return where this text is."""
        return self.values == text.encode(errors="surrogatepass")

    def holds(self, text: str) -> bool:
        """Return whether this text is there."""
        return bool(self.where(text).any())

    def words(self, width: int) -> list[NDArray[np.uint64]]:
        """Return the texts as `width` numbers of 64 bits each, filled up with zeros; `width` must be enough."""
        padded = self.values.astype(f"S{8 * width}")
        return list(padded.view(np.uint64).reshape(-1, width).T)

    @property
    def width(self) -> int:
        """How many words of 64 bits the longest of them needs."""
        return max(1, -(-self.values.dtype.itemsize // 8))


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Texts of which there are few: `codes` says which of `vocabulary` each is."""

    codes: NDArray[np.int32]
    vocabulary: tuple[str, ...]
    known: Flags | None = None

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Self:
        """Make a column of texts."""
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(value or "", len(numbers)) for value in values]
        return cls(np.array(codes, dtype=np.int32), tuple(numbers), _known(values))

    def __len__(self) -> int:
        return len(self.codes)

    def part(self, rows: slice) -> list[Any]:
        """Return the values of these rows."""
        return _part([self.vocabulary[code] for code in self.codes[rows].tolist()], self.known, rows)

    def used(self) -> set[str]:
        """Return the texts that are there."""
        codes = self.codes if self.known is None else self.codes[self.known]
        there = np.bincount(codes, minlength=len(self.vocabulary))
        return {self.vocabulary[code] for code in np.flatnonzero(there).tolist()}

    def where(self, text: str) -> Flags:
        """Return where this text is."""
        if text not in self.vocabulary:
            return np.zeros(len(self), np.bool_)
        found = self.codes == self.vocabulary.index(text)
        return found if self.known is None else found & self.known


Column: TypeAlias = Integers | Booleans | Ids | Keys | Words


def _part(values: list[Any], known: Flags | None, rows: slice) -> list[Any]:
    if known is None:
        return values
    return [value if there else None for value, there in zip(values, known[rows].tolist(), strict=True)]


def everything(column: Integers | Ids | Words) -> Flags:
    """Return which values of a column are known, also where all are."""
    return np.ones(len(column), np.bool_) if column.known is None else column.known


def transposed(rows: Iterable[Any], names: Sequence[str]) -> list[list[Any]]:
    """Return one list of values per name."""
    listed = list(rows)
    return [list(map(getattr, listed, repeat(name))) for name in names]
