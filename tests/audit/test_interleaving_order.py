"""In which order the events of two operations are shown: one that is possible, whatever their clocks say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from audit.drawn_simulations import often, simulations
from audit.interleaved import STEPS, one, possible, told, two_deposits
from racelab_bank.audit.detectors.lost_update import LostUpdate, lost_updates
from racelab_bank.audit.interleaving import Kind, interleavings, page
from racelab_bank.audit.interleaving.printing import width
from racelab_bank.audit.interleaving.text import as_text

if TYPE_CHECKING:
    from audit.simulated_bank import Simulation


@often
@given(simulations(accounts=5, plain=False, apart=True, faults=True), st.data())
def test_every_victim_is_shown_with_its_culprit_whatever_the_clocks_say(
    simulation: Simulation, data: st.DataObject
) -> None:
    history = simulation.history()
    times = st.none() | st.integers(0, simulation.clock)
    entries = [
        replace(entry, read_at_microseconds=data.draw(times), written_at_microseconds=data.draw(times) or 0)
        if data.draw(st.booleans())
        else entry
        for entry in history.entries
    ]
    history = replace(history, entries=entries)
    drawn = list(interleavings(history))
    assert page(history, about=None, offset=0, limit=1) == (len(drawn), drawn[:1])
    blamed = [
        (found.victim.id, found.culprit and found.culprit.id)
        for found in lost_updates.find(history)
        if isinstance(found, LostUpdate)
    ]
    pairs = [
        tuple(lane.entry and UUID(lane.entry) for lane in picture.lanes)
        for picture in drawn
        if picture.kind == "lost_update"
    ]
    assert pairs == blamed
    for picture in drawn:
        possible(picture)
        assert max(map(width, as_text(picture).splitlines())) <= 100


def test_clocks_that_disagree_with_the_version_order_do_not_change_it_and_are_told() -> None:
    history = two_deposits()
    early = replace(history.entries[1], written_at_microseconds=1_002_500)
    drawn = one(replace(history, entries=[history.entries[0], early], operations=[]))
    assert told(drawn, Kind.WRITE) == [(0, "writes 11.00 over 10.00"), (1, "writes 10.50 over 11.00")]
    assert drawn.notes == (
        "By the clocks operation 1 wrote 0.500 ms earlier than operation 0: the recorded order of versions is kept.",
    )


def test_a_read_after_a_write_that_it_did_not_see_says_that_this_had_not_committed() -> None:
    history = two_deposits()
    late = replace(history.entries[1], read_at_microseconds=1_003_250)
    drawn = one(replace(history, entries=[history.entries[0], late], operations=[]))
    assert [lane for lane, _ in told(drawn)] == [0, 0, 1, 1]
    (note,) = drawn.notes
    assert note.startswith("When operation 1 read, operation 0 had written 0.250 ms before, and was not seen")


def test_a_read_cannot_come_after_a_write_that_was_there_for_all_to_see() -> None:
    history = two_deposits()
    # In autocommit the entry is inserted by another transaction than the balance: that was committed by then.
    first = replace(history.entries[0], transaction=history.installs[0].transaction + 1)
    late = replace(history.entries[1], read_at_microseconds=1_003_250)
    drawn = one(replace(history, entries=[first, late], operations=[]))
    assert [lane for lane, _ in told(drawn)] == [0, 1, 0, 1]
    (note,) = drawn.notes
    assert note.startswith("By the clocks operation 1 read 0.250 ms after operation 0 had written, and yet saw")


def test_a_callers_clock_that_disagrees_with_the_replicas_is_told() -> None:
    history = two_deposits()
    early = [replace(told, end_microseconds=1_001_500) for told in history.operations]
    drawn = next(interleavings(replace(history, operations=early)))
    for lane in (0, 1):
        assert [event.kind for event in drawn.events if event.lane == lane] == STEPS
    (note, *_) = drawn.notes
    assert note.startswith("By the caller's clock operation 0 was answered before it had written, by 1.500 ms")


def test_without_times_both_read_before_either_writes() -> None:
    history = two_deposits()
    timeless = [replace(entry, read_at_microseconds=None, written_at_microseconds=0) for entry in history.entries]
    drawn = one(replace(history, entries=timeless, operations=[]))
    assert [(event.lane, event.kind) for event in drawn.events] == [
        (0, "read"), (1, "read"), (0, "write"), (1, "write"),
    ]  # fmt: skip
    assert {drawn.offset(event) for event in drawn.events} == {""}
    assert drawn.notes == ("Not all times are recorded: what has none stands where the order of versions allows it.",)
    assert "UTC" not in as_text(drawn)
