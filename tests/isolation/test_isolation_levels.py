"""Hermitage, performed: every anomaly at every level on real PostgreSQL, compared with what is expected of it."""

from importlib import import_module
from itertools import permutations

import pytest

from racelab_bank.claims import Anomaly
from racelab_bank.isolation.anomalies import IsolationAnomaly, anomalies
from racelab_bank.isolation.notation import listing
from racelab_bank.isolation.outcome import Shown
from racelab_bank.isolation.performing import Performer
from racelab_bank.isolation.script import AUTOCOMMIT, LEVELS, START, Script
from racelab_bank.strategies import strategies

CELLS = [pytest.param(one, level, id=f"{name}-{level}") for name, one in anomalies().items() for level in LEVELS]
EACH = pytest.mark.parametrize("anomaly", anomalies().values(), ids=anomalies())


@pytest.mark.parametrize(("anomaly", "level"), CELLS)
def test_postgresql_does_what_is_expected_of_it(anomaly: IsolationAnomaly, level: str, performing: Performer) -> None:
    observation = performing.perform(anomaly.script, level)
    assert anomaly.outcome(observation) == anomaly.expected[level], listing(observation)


@EACH
def test_every_script_shows_its_anomaly_somewhere(anomaly: IsolationAnomaly, performing: Performer) -> None:
    # In autocommit, as the control of those that a transaction prevents at every level.
    shown = [level for level in LEVELS if anomaly.shows(performing.perform(anomaly.script, level))]
    assert shown, "a script that shows nothing anywhere proves nothing where it is said to be prevented"


@EACH
def test_one_transaction_after_the_other_shows_nothing(anomaly: IsolationAnomaly, performing: Performer) -> None:
    # An anomaly is what no serial order can give: a judgement that finds one there would find it everywhere.
    for order in permutations(anomaly.script.transactions):
        steps = [step for transaction in order for step in anomaly.script.steps if step.transaction == transaction]
        observation = performing.perform(Script(tuple(steps)), "read-committed")
        assert not anomaly.shows(observation), f"{order}\n{listing(observation)}"


@EACH
def test_serializable_prevents_it_and_no_level_shows_what_a_weaker_one_prevents(anomaly: IsolationAnomaly) -> None:
    shown = [anomaly.expected[level] == Shown for level in LEVELS if level != AUTOCOMMIT]
    assert not shown[-1]
    assert shown == sorted(shown, reverse=True)


def test_a_table_starts_with_what_scripts_rely_on(performing: Performer) -> None:
    performing.table.fill()
    assert performing.table.rows() == START


def test_the_weakest_level_comes_first() -> None:
    ranks = [len(one.shows_at) for one in anomalies().values() if one.name != "pmp_write"]  # never shows in autocommit
    assert ranks == sorted(ranks)
    assert {one.symbol for one in anomalies().values()} == {
        "G0", "G1a", "G1b", "G1c", "OTV", "PMP", "P4", "G-single", "G2-item", "G2",
    }  # fmt: skip


@EACH
def test_every_anomaly_tells_its_source_and_its_script(anomaly: IsolationAnomaly) -> None:
    told = import_module(anomaly.shows.__module__).__doc__ or ""
    assert "\n    -- T1  " in told
    assert "\n    -- T2  " in told
    assert "1999" in anomaly.told or "1995" in anomaly.told or "2014" in anomaly.told
    assert "\nIn Django: " in anomaly.told
    assert "-- T1" not in anomaly.told


def test_every_racy_strategy_falls_to_an_anomaly_and_no_safe_one_does() -> None:
    racy = {
        name
        for name, strategy in strategies().items()
        for claims in (strategy.claims, *strategy.exceptions.values())
        if any(claim.kind == "racy" for claim in claims.values())
    }
    assert {name for one in anomalies().values() for name in one.strategies} == racy


@pytest.mark.parametrize(
    ("name", "shown"), [("p4", Anomaly.LOST_UPDATE), ("g2_item", Anomaly.WRITE_SKEW)], ids=["p4", "g2_item"]
)
def test_the_strategies_that_fall_to_it_are_those_that_claim_it(name: str, shown: Anomaly) -> None:
    claiming = {
        strategy.name
        for strategy in strategies().values()
        if any(shown in claim.anomalies for claim in strategy.claims.values())
    }
    assert set(anomalies()[name].strategies) == claiming
