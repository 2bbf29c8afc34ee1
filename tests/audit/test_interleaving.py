"""An anomaly between two operations as two lanes: who read what, who wrote when, and what would have prevented it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from audit.drawn_simulations import often, simulations
from audit.simulated_bank import Leg, Simulation, Write
from racelab_bank.audit.detectors.lost_update import LostUpdate, lost_updates
from racelab_bank.audit.interleaving import Interleaving, interleavings
from racelab_bank.audit.interleaving.drawing import as_svg
from racelab_bank.audit.interleaving.making import drawable
from racelab_bank.audit.interleaving.preventing import PREVENTIONS
from racelab_bank.audit.interleaving.text import as_text
from racelab_bank.claims import ISOLATIONS
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import strategies

if TYPE_CHECKING:
    from racelab_bank.audit.history import History


def two_deposits() -> History:
    writes = [Write((Leg(1, 100),), "naive"), Write((Leg(1, 50),), "naive")]
    return Simulation([1_000]).play(writes, [0, 1, 0, 0, 0], workers=2).history()


def one(history: History) -> Interleaving:
    (found,) = interleavings(history)
    return found


def told(drawn: Interleaving) -> list[tuple[int, str]]:
    return [(event.lane, event.what) for event in drawn.events]


def test_a_lost_deposit_stands_beside_the_one_that_wrote_over_it() -> None:
    drawn = one(two_deposits())
    assert told(drawn) == [
        (0, "reads 10.00"),
        (1, "reads 10.00"),
        (0, "writes 11.00 over 10.00"),
        (1, "writes 10.50 over 11.00"),
    ]
    assert [(lane.name, lane.mark) for lane in drawn.lanes] == [
        ("operation 0 (+1.00) on bank-0", "LOST"),
        ("operation 1 (+0.50) on bank-1", "wrote over it"),
    ]
    assert drawn.reason.startswith("row_lock would have blocked operation 1's read until operation 0 had committed")
    assert "200 applied" in (drawn.lanes[0].answer or "")


def test_the_text_has_two_lanes_in_a_hundred_columns() -> None:
    lines = as_text(one(two_deposits())).splitlines()
    assert lines[:3] == [
        "operation 0 (+1.00) was lost: operation 1 on bank-1 had read the balance before it",
        "",
        "              operation 0 (+1.00) on bank-0              operation 1 (+0.50) on bank-1",
    ]
    assert "              LOST                                       wrote over it" in lines
    assert max(map(len, lines)) <= 100


@often
@given(simulations(accounts=5, plain=False))
def test_every_victim_is_drawn_with_the_culprit_that_is_blamed_and_what_is_drawn_is_possible(
    simulation: Simulation,
) -> None:
    history = simulation.history()
    drawn = list(interleavings(history))
    blamed = [found for found in lost_updates.find(history) if isinstance(found, LostUpdate) and found.culprit]
    pairs = [tuple(lane.operation for lane in one.lanes) for one in drawn if one.kind == "lost_update"]
    assert pairs == [(found.victim.operation, found.culprit.operation) for found in blamed if found.culprit]
    assert len(drawn) <= drawable(history)
    for picture in drawn:
        kinds = [(event.lane, event.kind) for event in picture.events]
        assert {(0, "write"), (1, "write")} <= set(kinds)
        for lane in (0, 1):
            own = [event.kind for event in picture.events if event.lane == lane]
            assert own == sorted(own), "an operation reads before it writes"
        if picture.kind == "lost_update":
            assert kinds.index((0, "write")) < kinds.index((1, "write"))
        assert max(map(len, as_text(picture).splitlines())) <= 100
        ET.fromstring(as_svg(picture))


@often
@given(simulations())
def test_of_one_operation_those_are_drawn_in_which_it_takes_part(simulation: Simulation) -> None:
    history = simulation.history()
    every = list(interleavings(history))
    for key in {entry.operation for entry in history.entries} | {"nobody"}:
        wanted = [one for one in every if key in {lane.operation for lane in one.lanes}]
        assert list(interleavings(history, about=key)) == wanted
    assert list(interleavings(history, offset=1, limit=2)) == every[1:3]


def test_write_skew_and_duplicates_are_drawn_too() -> None:
    joint = Simulation([0, 5_000, 5_000], owners={2: 7, 3: 7})
    writes = [Write((Leg(2, -8_000),), "checked"), Write((Leg(3, -8_000),), "checked")]
    drawn = one(joint.play(writes, [0, 1, 0, 0, 0, 0], workers=2).history())
    assert drawn.kind == "write_skew"
    assert told(drawn)[-2:] == [(0, "adds −80.00: 50.00 ⇒ −30.00"), (1, "adds −80.00: 50.00 ⇒ −30.00")]
    assert (0, "reads 50.00 on account 3") in told(drawn)
    assert "joint_lock would have blocked operation 1's read" in drawn.reason
    opened = Simulation([0, 0, 0], owners={2: 7, 3: 7}, created={2, 3})
    opened.play([Write((Leg(account, 100),), "locked") for account in (3, 2)], [], workers=1)
    written = [what for what in told(one(opened.history())) if "creates" in what[1]]
    assert written == [(0, "creates account 3 with 1.00"), (1, "creates account 2 with 1.00")]


def test_clocks_that_disagree_with_the_version_order_do_not_change_it_and_are_told() -> None:
    history = two_deposits()
    early = replace(history.entries[1], written_at_microseconds=1_000_500)
    drawn = one(replace(history, entries=[history.entries[0], early]))
    assert [lane for lane, what in told(drawn) if what.startswith("writes")] == [0, 1]
    assert drawn.notes == ("The replicas' clocks disagree with the version order, which was recorded: it is kept.",)


def test_without_times_both_read_before_either_writes() -> None:
    history = two_deposits()
    timeless = [replace(entry, read_at_microseconds=None, written_at_microseconds=0) for entry in history.entries]
    drawn = one(replace(history, entries=timeless, operations=[]))
    assert [event.kind for event in drawn.events] == ["read", "read", "write", "write"]
    assert {drawn.offset(event) for event in drawn.events} == {""}
    assert [lane.answer for lane in drawn.lanes] == [None, None]
    assert "UTC" not in as_text(drawn) + as_svg(drawn)


@pytest.mark.parametrize(
    "key", ["<script>alert(1)</script>", "a&b\"c'", "x" * 100, "سلام ✓ 🏦", "tab\tline\nend\x1b[31m"]
)
def test_a_drawing_shows_what_a_key_says_and_does_nothing_with_it(key: str) -> None:
    history = two_deposits()
    drawn = one(replace(history, entries=[replace(history.entries[0], operation=key), history.entries[1]]))
    svg = as_svg(drawn)
    root = ET.fromstring(svg)
    tags = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in root.iter()}
    assert tags == {"svg", "title", "desc", "text", "line", "circle"}
    assert not any("href" in name or name.startswith(("on", "style")) for one in root.iter() for name in one.attrib)
    assert "\x1b" not in svg
    assert "\x1b" not in as_text(drawn)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, prevents in PREVENTIONS.items() for name in prevents]
)
def test_what_is_said_to_prevent_an_anomaly_claims_to(kind: str, name: str) -> None:
    if name in ISOLATIONS:
        # Some strategy that shows it at read committed aborts at this level.
        pairs = [(strategy, scenario) for strategy in strategies().values() for scenario in scenarios().values()]
        served = [(one, scenario) for one, scenario in pairs if one.serves(scenario) and "read-committed" in one.claims]
        assert any(
            kind in one.claim(scenario, "read-committed").anomalies and one.claim(scenario, name).kind == "aborts"
            for one, scenario in served
        )
        return
    strategy = strategies()[name]
    for scenario in scenarios().values():
        if strategy.serves(scenario):
            assert kind not in strategy.claim(scenario, "read-committed").anomalies
