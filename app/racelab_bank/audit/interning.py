"""Number things so that two have one number exactly when they are the same.

By sorting hashes: NumPy sorts 64-bit numbers many times faster than anything wider. Two different things of one hash
are noticed, and then they are sorted by their full words instead: slower, never wrong. Many things are dealt into
buckets by their hash first, each small enough for the processor's cache, so that a thing costs the same among millions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Things as columns of 64-bit words: as many columns for each part, as long as it has things.
Part: TypeAlias = Sequence[NDArray[Any]]

_FACTORS: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)

#: About how many things are sorted at once.
_BUCKET: Final = 2**17

#: So many hashes that come more than once are looked up one by one.
_FEW: Final = 2**14


def intern(*parts: Part) -> tuple[list[NDArray[np.int32]], int]:
    """Return the numbers of each part's things, and how many different things there are.

    Things are numbered from 0 in the order in which they come first.
    """
    columns = [np.concatenate(words) for words in zip(*parts, strict=True)]
    hashed = mix(columns)
    first = np.arange(len(hashed), dtype=np.int32)
    for rows in _buckets(hashed, _repeated(hashed)):
        first[rows] = _firsts(rows, hashed[rows], [column[rows] for column in columns])
    number = np.cumsum(first == np.arange(len(first), dtype=np.int32), dtype=np.int32)
    codes = number[first] - np.int32(1)
    lengths = [len(part[0]) for part in parts]
    return np.split(codes, np.cumsum(lengths)[:-1]), int(number[-1]) if len(number) else 0


def _repeated(hashed: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return the rows that may be the same as another one: all, unless few hashes come more than once.

    What has a hash of its own is the first of its kind, and the only one.
    """
    ordered = np.sort(hashed)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice) > _FEW:
        return np.arange(len(hashed))
    at = np.minimum(np.searchsorted(twice, hashed), max(0, len(twice) - 1))
    return np.flatnonzero(twice[at] == hashed) if len(twice) else np.empty(0, np.intp)


def _buckets(hashed: NDArray[np.uint64], rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Deal rows into buckets by the highest bits of their hashes; yield each bucket's rows in ascending order."""
    bits = min(16, max(0, (len(rows) // _BUCKET).bit_length()))
    if not bits:
        yield rows
        return
    bucket = (hashed[rows] >> np.uint64(64 - bits)).astype(np.uint8 if bits <= 8 else np.uint16)
    order = rows[np.argsort(bucket, kind="stable")]
    ends = np.cumsum(np.bincount(bucket, minlength=2**bits))
    yield from np.split(order, ends[:-1])


def _firsts(rows: NDArray[np.intp], hashed: NDArray[np.uint64], columns: list[NDArray[Any]]) -> NDArray[np.intp]:
    """Return for each row the first row of the same thing."""
    order = np.argsort(hashed)
    new = changes(hashed[order])
    different = new.copy()
    for column in columns:
        different |= changes(column[order])
    if (different & ~new).any():
        order = np.lexsort(columns)
        different = np.zeros(len(order), np.bool_)
        for column in columns:
            different |= changes(column[order])
    begins = np.flatnonzero(different)
    firsts = np.minimum.reduceat(rows[order], begins) if len(begins) else rows
    found = np.empty(len(rows), np.intp)
    found[order] = firsts[np.cumsum(different) - 1]
    return found


def first_rows(codes: NDArray[np.int32], count: int, missing: int = -1) -> NDArray[np.intp]:
    """Return, for each of `count` numbers, the first row that has it; `missing` for one that none has."""
    first = np.full(count, missing, np.intp)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first


def changes(ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where in an order another value begins: always at the first."""
    begins = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    return begins


def mix(columns: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """Return one hash per thing: each word multiplied by an odd number of its own place, and folded."""
    mixed = np.empty(len(columns[0]), np.uint64)
    for begin in range(0, len(mixed), _BUCKET):
        part = slice(begin, begin + _BUCKET)
        mixed[part] = _mixed([column[part] for column in columns])
    return mixed


def _mixed(columns: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    mixed = np.zeros(len(columns[0]), np.uint64)
    for number, column in enumerate(columns):
        mixed ^= column.astype(np.uint64, copy=False) * np.uint64(_FACTORS[number % len(_FACTORS)])
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(_FACTORS[1])
    mixed ^= mixed >> np.uint64(32)
    return mixed
