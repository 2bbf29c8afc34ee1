"""Numbering things by sorting their hashes: as a dictionary would, whatever the hashes and however few are sorted."""

from collections.abc import Sequence
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from audit.drawn_simulations import often
from racelab_bank.audit import interning

Thing = tuple[int, ...]
Parts = list[list[Thing]]


def by_dictionary(parts: Sequence[Sequence[Thing]]) -> tuple[list[list[int]], int]:
    numbers: dict[Thing, int] = {}
    return [[numbers.setdefault(thing, len(numbers)) for thing in part] for part in parts], len(numbers)


def interned(parts: Sequence[Sequence[Thing]], width: int) -> tuple[list[list[int]], int]:
    """Number them as ids are in the audit: two halves without a sign, then rows of accounts, with one."""
    kinds = [np.uint64, np.uint64, np.int64]
    columns = [[np.array([thing[at] for thing in part], kinds[at]) for at in range(width)] for part in parts]
    codes, count = interning.intern(*columns)
    assert all(code.dtype == np.int32 for code in codes)
    return [code.tolist() for code in codes], count


def parts(width: int) -> st.SearchStrategy[tuple[Parts, int]]:
    half = st.integers(0, 3) | st.sampled_from([2**32, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
    thing = st.tuples(*[half, half, st.integers(0, 5)][:width])
    return st.tuples(st.lists(st.lists(thing, max_size=40), min_size=1, max_size=4), st.just(width))


def as_hash(few: int) -> Any:
    """Return a hash of only so many values, spread so that they differ in their highest bits, too."""

    def mix(columns: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
        folded = sum(column.astype(np.uint64) for column in columns) % np.uint64(few)
        return np.asarray(folded * np.uint64((2**64 - 1) // few), np.uint64)

    return mix


HASHES = {"its own hash": interning.mix, "one hash for all": as_hash(1), "two hashes": as_hash(2), "nine": as_hash(9)}


@pytest.mark.parametrize("few", [0, 3, 2**14], ids="looks up {} hashes".format)
@pytest.mark.parametrize("bucket", [1, 4, 2**17], ids="sorts {} at once".format)
@pytest.mark.parametrize("mix", HASHES.values(), ids=HASHES.keys())
@often
@given(st.integers(1, 3).flatmap(parts))
@example(([[]], 1))
@example(([[], [(1,)], [], [(2,), (1,)]], 1))
def test_things_are_numbered_as_they_come_first(mix: Any, bucket: int, few: int, given: tuple[Parts, int]) -> None:
    things, width = given
    with (
        patch.object(interning, "mix", mix),
        patch.object(interning, "_BUCKET", bucket),
        patch.object(interning, "_FEW", few),
    ):
        assert interned(things, width) == by_dictionary(things)


@often
@given(st.integers(1, 3).flatmap(parts))
def test_things_that_are_the_same_have_one_hash(given: tuple[Parts, int]) -> None:
    (part, *_), width = given
    columns = [np.array([thing[at] for thing in part], np.uint64) for at in range(width)]
    hashes: dict[Thing, int] = {}
    for thing, found in zip(part, interning.mix(columns).tolist(), strict=True):
        assert hashes.setdefault(thing, found) == found


def test_more_than_one_bucket_of_the_real_size_is_numbered_as_by_a_dictionary() -> None:
    random = Random(7)
    things = [(random.randrange(2**64), random.randrange(2**64)) for _ in range(150_000)]
    again = [random.choice(things) for _ in range(150_000)]
    assert len(things) + len(again) > 2 * interning._BUCKET
    assert interned([things, again], 2) == by_dictionary([things, again])
