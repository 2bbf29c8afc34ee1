"""No detector without its negative controls: its anomaly is found when injected, and a clean history gives nothing."""

from importlib import import_module
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.injections import INJECTIONS
from audit.simulated_bank import Leg, Simulation, Write, clean_simulations, often, simulations, sometimes
from racelab_bank.audit.registry import Detector, detectors
from racelab_bank.audit.report import Outcome, audit, findings

EVERY = pytest.mark.parametrize("detector", detectors(), ids=lambda detector: detector.kind)
clean_with_entries = clean_simulations(least=1).filter(lambda simulation: bool(simulation.entries))
seeds = st.integers(0, 2**32)


def test_every_detector_has_an_injection_and_a_kind_of_its_own() -> None:
    assert [detector.kind for detector in detectors()] == sorted(INJECTIONS)


@EVERY
def test_every_detector_tells_its_rule_and_its_source(detector: Detector) -> None:
    docstring = import_module(detector.find.__module__).__doc__ or ""
    assert "\nRule" in docstring
    assert "Source:" in docstring


@EVERY
@sometimes
@given(simulation=clean_with_entries, seed=seeds)
def test_an_injected_anomaly_is_found_exactly(detector: Detector, simulation: Simulation, seed: int) -> None:
    injected = INJECTIONS[detector.kind](simulation.history(), Random(seed))
    found = list(detector.find(injected.history))
    assert {(one.account, one.operations) for one in found} == injected.findings
    assert len(found) == len(injected.findings)


@EVERY
@sometimes
@given(simulation=clean_with_entries, seed=seeds)
def test_an_injected_anomaly_is_told_and_nothing_else_is(detector: Detector, simulation: Simulation, seed: int) -> None:
    injected = INJECTIONS[detector.kind](simulation.history(), Random(seed))
    report = audit(injected.history, final=True)
    assert report.outcome is Outcome.ANOMALOUS
    found: dict[str, int] = {}
    for finding in findings(injected.history, final=True):
        found[finding.kind] = found.get(finding.kind, 0) + 1
        told = finding.to_json()
        assert told["sentence"]
        assert told["entry_count"] >= len(told["entries"])
    assert found == injected.counts


@EVERY
@sometimes
@given(simulation=clean_simulations())
def test_a_clean_history_gives_nothing(detector: Detector, simulation: Simulation) -> None:
    assert not list(detector.find(simulation.history()))


@EVERY
def test_without_its_detector_an_injected_anomaly_passes(detector: Detector) -> None:
    clean = Simulation([1000, 500]).play([Write((Leg(1, 100),), "locked"), Write((Leg(2, -50),), "locked")], [], 1)
    injected = INJECTIONS[detector.kind](clean.history(), Random(1)).history
    others = tuple(one for one in detectors() if one is not detector)
    assert detector.kind in {finding.kind for finding in findings(injected, final=True)}
    assert detector.kind not in {finding.kind for finding in findings(injected, final=True, using=others)}
    blind, seeing = audit(injected, final=True, using=others), audit(injected, final=True)
    assert (blind.anomalies, blind.culprits) != (seeing.anomalies, seeing.culprits)


@often
@given(simulations(transfers=False))
def test_overdrafts_are_those_that_the_simulation_saw(simulation: Simulation) -> None:
    found = list(findings(simulation.history(), final=True))
    assert {one.account for one in found if one.kind == "visible_overdraft"} == simulation.truth.overdrawn
    totals = dict(simulation.openings)
    for entry in simulation.entries:
        totals[entry.account] += entry.amount_cents
    hidden = {account for account, total in totals.items() if total < 0 <= simulation.balances[account].cents}
    assert {one.account for one in found if one.kind == "hidden_overdraft"} == hidden


@often
@given(simulations(faults=True))
def test_every_torn_half_is_found_in_the_final_audit_only(simulation: Simulation) -> None:
    history = simulation.history()
    assert audit(history, final=True).anomalies["torn_write"] == simulation.truth.torn
    assert audit(history, final=False).anomalies["torn_write"] == 0


@often
@given(simulations(ways=("locked",)))
def test_the_legs_of_a_transfer_are_one_attempt(simulation: Simulation) -> None:
    assert {entry.leg_count for entry in simulation.entries} <= {1, 2}
    assert audit(simulation.history(), final=True).anomalies["double_spend"] == 0
