"""Histories of two operations, and what is true of every interleaving: for the tests of text, order and drawing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audit.simulated_bank import Leg, Simulation, Write
from racelab_bank.audit.interleaving import Interleaving, Kind, interleavings

if TYPE_CHECKING:
    from racelab_bank.audit.history import History

STEPS = list(Kind)
KEYS = [
    "<script>alert(1)</script>",
    "a&b\"c'",
    "x" * 100,
    "سلام عليكم ✓ 🏦",
    "{late}{0}",
    "口座" * 40,
    "t\tl\ne\x1b[31m",
]


def two_deposits() -> History:
    writes = [Write((Leg(1, 100),), "naive"), Write((Leg(1, 50),), "naive")]
    return Simulation([1_000]).play(writes, [0, 1, 0, 0, 0], workers=2).history()


def one(history: History) -> Interleaving:
    (found,) = interleavings(history)
    return found


def told(drawn: Interleaving, *kinds: Kind) -> list[tuple[int, str]]:
    wanted = kinds or (Kind.READ, Kind.WRITE)
    return [(event.lane, event.what) for event in drawn.events if event.kind in wanted]


def possible(picture: Interleaving) -> None:
    """Check what is true of any execution: own steps in turn, versions in theirs, nothing read before it is there."""
    for lane in range(len(picture.lanes)):
        own = [STEPS.index(event.kind) for event in picture.events if event.lane == lane]
        assert own == sorted(own)
    written: list[int] = []
    for event in picture.events:
        if event.version is None:
            continue
        version = picture.versions[event.version]
        if event.kind is Kind.WRITE:
            written.append(event.version)
            assert (version.lane, event.lost) == (event.lane, version.lost)
        elif version.lane is not None and picture.kind in {"lost_update", "stale_guard"}:
            assert event.version in written
    if picture.kind in {"lost_update", "stale_guard"}:
        assert written == sorted(written)
        assert written[-1] == len(picture.versions) - 1
    for one_version, next_one in pairwise(picture.versions):
        assert one_version.account != next_one.account or one_version.number < next_one.number
    if picture.kind == "lost_update":
        assert picture.lanes[0].mark == "LOST"
        assert [event.lane for event in picture.events if event.lost] == [0]
