"""An anomaly between two operations as two lanes: who read what, who wrote when, in an order that is possible."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.drawn_simulations import often, simulations
from audit.simulated_bank import Leg, Simulation, Write, put_back
from racelab_bank.audit.detectors.lost_update import LostUpdate, lost_updates
from racelab_bank.audit.interleaving import Interleaving, Kind, interleave, interleavings, page
from racelab_bank.audit.interleaving.making import NOT_SHOWN
from racelab_bank.audit.interleaving.printing import width
from racelab_bank.audit.interleaving.text import as_text
from racelab_bank.audit.registry import detectors
from racelab_bank.audit.report import findings
from racelab_bank.audit.words import shown

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


GOLDEN = """\
operation 0 (+1.00) was lost: operation 1 on bank-1 had read the balance before it

        operation 0 (+1.00) on bank-0                  operation 1 (+0.50) on bank-1
        naive, worker 0, xid 1003000                   naive, worker 1, xid 1005000
    ms  ─────────────────────────────────────────────  ─────────────────────────────────────────────
~0.000  is sent
 0.000  reads 10.00 from the opening
 0.000  has a window of 2.000 ms
~1.000                                                 is sent
 1.000                                                 reads 10.00 from the opening [1]
 1.000                                                 has a window of 3.000 ms
 2.000  writes 11.00 over 10.00: LOST
~3.000  is answered: 200 applied
 4.000                                                 writes 10.50 over 11.00 [2][3]
~5.000                                                 is answered: 200 applied
        LOST                                           wrote over it

0.000 is 1970-01-01 00:00:01.001000 UTC.
[1] a lock before the read would have BLOCKED operation 1's read here until operation 0 had
    committed.
[2] an update that the database computes would have added operation 1's amount here to what
    operation 0 had left.
[3] a comparison of versions would have found 0 rows here, as operation 0 had changed the version,
    and read again.
~ is by the caller's clock, other times are by the replicas'; commits are not timed.
"""


def test_a_lost_deposit_stands_beside_the_one_that_wrote_over_it() -> None:
    assert as_text(one(two_deposits())) == GOLDEN


def test_reads_and_writes_are_told_with_the_versions_that_they_are_of() -> None:
    drawn = one(two_deposits())
    assert drawn.operations == ("0", "1")
    assert [(one.number, one.balance_cents, one.writer, one.lane, one.lost) for one in drawn.versions] == [
        (0, 1_000, "the opening", None, False),
        (1, 1_100, "operation 0", 0, True),
        (2, 1_050, "operation 1", 1, False),
    ]
    of_versions = [(event.lane, event.kind, event.version) for event in drawn.events if event.version is not None]
    assert of_versions == [(0, "read", 0), (1, "read", 0), (0, "write", 1), (1, "write", 2)]
    (window, _) = [event for event in drawn.events if event.kind is Kind.WINDOW]
    assert (window.lane, window.duration_microseconds) == (0, 2_000)
    value = drawn.to_json()
    assert json.loads(json.dumps(value)) == value
    assert value["reason"] == "; ".join(reason["words"] for reason in value["reasons"]) + "."


def test_who_lay_between_the_two_is_counted_and_named() -> None:
    # 0 reads the opening; eight others read and write one after the other; then 0 writes over all of them.
    deposits = [Write((Leg(1, 100),), "naive")] * 9
    history = Simulation([0]).play(deposits, [0, *([1] * 24), 0, 0], workers=2).history()
    first, second, *_ = drawn = list(interleavings(history))
    assert [each.operations for each in drawn] == [(str(number), "0") for number in range(1, 9)]
    assert first.notes[0] == (
        "7 other writes lie between what operation 0 had read and what it wrote: operation 2, operation 3, "
        "operation 4, operation 5, operation 6 and 2 others; all of them are lost, too."
    )
    assert [event.what for event in second.events if event.kind is Kind.READ] == [
        "reads 0.00 from the opening",
        "reads 1.00 from operation 1",
    ]


def test_an_operation_is_lost_to_a_write_without_an_entry() -> None:
    drawn = one(put_back())
    assert [(lane.name, lane.operation, lane.entry) for lane in drawn.lanes][1] == (
        "a write without an entry",
        None,
        None,
    )
    assert told(drawn, Kind.WRITE) == [(0, "writes 2.00 over 1.00"), (1, "writes 1.00 over 2.00")]
    assert drawn.operations == ("1",)
    assert "has a window" not in as_text(drawn).replace("has a window of 0", "")


def test_two_that_overlooked_each_other_are_shown_on_both_accounts() -> None:
    joint = Simulation([0, 5_000, 5_000], owners={2: 7, 3: 7})
    writes = [Write((Leg(2, -8_000),), "checked"), Write((Leg(3, -8_000),), "checked")]
    drawn = one(joint.play(writes, [0, 1, 0, 0, 0, 0], workers=2).history())
    assert (drawn.kind, drawn.accounts) == ("write_skew", (2, 3))
    assert told(drawn) == [
        (0, "reads 50.00 on account 2 from the opening"),
        (0, "reads 50.00 on account 3 from the opening"),
        (1, "reads 50.00 on account 2 from the opening"),
        (1, "reads 50.00 on account 3 from the opening"),
        (0, "adds −80.00 on account 2: 50.00 ⇒ −30.00"),
        (1, "adds −80.00 on account 3: 50.00 ⇒ −30.00"),
    ]
    (reason,) = drawn.reasons
    assert reason.event is not None
    blocked = drawn.events[reason.event]
    assert (blocked.lane, blocked.kind, blocked.account) == (1, Kind.READ, 2)


def test_of_accounts_that_were_created_twice_both_creations_are_shown() -> None:
    opened = Simulation([0, 0, 0], owners={2: 7, 3: 7}, created={2, 3})
    opened.play([Write((Leg(account, 100),), "locked") for account in (3, 2)], [], workers=1)
    drawn = one(opened.history())
    assert {(0, "finds no account of owner 7"), (1, "finds no account of owner 7")} <= set(told(drawn, Kind.READ))
    assert told(drawn, Kind.WRITE) == [(0, "creates account 3 with 1.00"), (1, "creates account 2 with 1.00")]
    assert drawn.reason == "a unique constraint would have refused operation 1's insert here (23505)."


def test_a_check_that_came_too_early_stands_beside_the_first_that_it_overlooked() -> None:
    writes = [Write((Leg(1, -800),), "checked"), Write((Leg(1, -900),), "checked")]
    history = Simulation([1_000]).play(writes, [0, 1, 0, 0, 0], workers=2).history()
    drawn = one(history)
    assert (drawn.kind, drawn.operations) == ("stale_guard", ("0", "1"))
    assert [lane.mark for lane in drawn.lanes] == ["overlooked", "checked too early"]
    assert told(drawn)[-1] == (1, "adds −9.00: 2.00 ⇒ −7.00")
    assert list(interleavings(history, about="0")) == [drawn]


def test_other_anomalies_show_their_sentence_and_what_their_operations_did() -> None:
    history = two_deposits()
    twice = replace(history, entries=[replace(entry, operation="17") for entry in history.entries], operations=[])
    (found,) = [each for each in findings(twice, final=True) if each.kind == "double_spend"]
    drawn = interleave(twice, found)
    assert (drawn.sentence, drawn.operations, drawn.reason) == (found.sentence, ("17", "17"), "")
    assert [lane for lane, _ in told(drawn)] == [0, 1, 0, 1]


def test_one_operation_that_creates_two_accounts_of_an_owner_has_one_lane() -> None:
    simulation = Simulation([0, 0, 0], owners={2: 7, 3: 7}, created={2, 3})
    simulation.play([Write((Leg(2, 100), Leg(3, 50)), "locked")], [], workers=1)
    (drawn,) = interleavings(simulation.history())
    assert [event.what for event in drawn.events if event.kind is Kind.WRITE] == [
        "creates account 2 with 1.00",
        "creates account 3 with 0.50",
    ]
    assert (len(drawn.lanes), drawn.reasons) == (1, ())
    possible(drawn)


def test_of_an_anomaly_that_names_nobody_only_the_sentence_is_shown() -> None:
    writes = [Write((Leg(1, -800),), "naive"), Write((Leg(1, -900),), "naive")]
    history = Simulation([1_000]).play(writes, [0, 1, 0, 0, 0], workers=2).history()
    (hidden,) = [each for each in findings(history, final=True) if each.kind == "hidden_overdraft"]
    drawn = interleave(history, hidden)
    assert (drawn.lanes, as_text(drawn).strip()) == ((), hidden.sentence)


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


@often
@given(simulations(accounts=4, plain=False))
def test_of_one_operation_those_are_shown_in_which_it_takes_part(simulation: Simulation) -> None:
    history = simulation.history()
    every = list(interleavings(history))
    for key in {entry.operation for entry in history.entries} | {"nobody"}:
        wanted = [each for each in every if key in each.operations]
        found = list(interleavings(history, about=key))
        assert [each for each in found if key in each.operations] == wanted
        # Of a longer cycle two operations are shown, and those beside them are told in a note.
        assert all("beside the two" in " ".join(each.notes) for each in found if each not in wanted)
        assert page(history, about=key, offset=1, limit=9) == (len(found), found[1:10])
    for offset in range(len(every) + 1):
        assert list(interleavings(history, offset=offset, limit=2)) == every[offset : offset + 2]


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


def test_who_got_no_answer_is_told_so() -> None:
    history = two_deposits()
    silent = [
        replace(told, type="info", status=None, outcome=None, entry=None, error="timeout")
        for told in history.operations
    ]
    drawn = one(replace(history, operations=silent))
    assert told(drawn, Kind.ANSWER) == [(0, "gets no answer: timeout"), (1, "gets no answer: timeout")]


@pytest.mark.parametrize(
    "key",
    KEYS,
)
def test_the_text_shows_what_a_key_says_in_its_columns(key: str) -> None:
    history = two_deposits()
    drawn = one(replace(history, entries=[replace(history.entries[0], operation=key), history.entries[1]]))
    text = as_text(drawn)
    assert max(map(width, text.splitlines())) <= 100
    assert not any(character in text for character in "\x1b\t")
    bare = text.translate({ord(isolate): None for isolate in "\u2068\u2069"})
    assert "".join(shown(key).split()) in "".join(bare.split())
    # Whatever stands to the left, the other lane begins in its own column.
    (line,) = [line for line in text.splitlines() if "writes 10.50" in line]
    assert width(line[: line.index("writes")]) == GOLDEN.splitlines()[13].index("writes")


def test_all_that_is_about_two_operations_is_listed_before_a_run_has_ended() -> None:
    final = {each.kind for each in detectors() if each.final_only}
    listed = {each.kind for each in detectors()} - final - NOT_SHOWN
    assert listed >= {
        "lost_update", "write_skew", "duplicate", "stale_guard", "double_spend", "dependency_cycle", "read_skew",
        "stale_read",
    }  # fmt: skip
