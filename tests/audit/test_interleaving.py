"""An anomaly between two operations as two lanes: who read what, who wrote when, in an order that is possible."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given

from audit.drawn_simulations import often, simulations
from audit.interleaved import KEYS, one, possible, told, two_deposits
from audit.simulated_bank import Leg, Simulation, Write, put_back
from racelab_bank.audit.interleaving import Kind, interleave, interleavings, page
from racelab_bank.audit.interleaving.making import NOT_SHOWN
from racelab_bank.audit.interleaving.printing import width
from racelab_bank.audit.interleaving.text import as_text
from racelab_bank.audit.registry import detectors
from racelab_bank.audit.report import findings
from racelab_bank.audit.words import shown

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
