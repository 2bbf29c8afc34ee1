"""No detector without its negative controls: its anomaly is found when injected, and a clean history gives nothing."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.drafts import Draft
from audit.drawn_simulations import clean_simulations, often, simulations, sometimes
from audit.injections import INJECTIONS
from audit.simulated_bank import Leg, Simulation, Way, Write, put_back
from racelab_bank.audit.registry import Detector, detectors
from racelab_bank.audit.report import Outcome, audit, findings
from racelab_bank.audit.words import listing

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
        listed = finding.to_json()
        assert listed["sentence"]
        assert listed["entry_count"] >= len(listed["entries"])
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
    counted = (blind.anomalies, blind.culprits) != (seeing.anomalies, seeing.culprits)
    # A stale guard explains an overdraft, and is listed beside it without being counted.
    assert counted is (detector.kind != "stale_guard")


def ledger_totals(simulation: Simulation) -> dict[int, int]:
    totals = dict(simulation.openings)
    for entry in simulation.entries:
        totals[entry.account] += entry.amount_cents
    return totals


@often
@given(simulations(transfers=False))
def test_overdrafts_are_those_that_the_simulation_saw(simulation: Simulation) -> None:
    found = list(findings(simulation.history(), final=True))
    assert {one.account for one in found if one.kind == "visible_overdraft"} == simulation.truth.overdrawn
    totals = ledger_totals(simulation)
    hidden = {account for account, total in totals.items() if total < 0 <= simulation.balances[account].cents}
    assert {one.account for one in found if one.kind == "hidden_overdraft"} == hidden


@often
@given(simulations(accounts=5, plain=False))
def test_accounts_of_one_owner_are_overdrawn_together_or_not_at_all(simulation: Simulation) -> None:
    totals = ledger_totals(simulation)
    balances = {account: balance.cents for account, balance in simulation.balances.items()}
    owned: dict[int, list[int]] = {}
    for account in sorted(totals):
        owned.setdefault(simulation.owners.get(account, -account), []).append(account)
    visible, hidden = set(), set()
    for accounts in owned.values():
        balance, total = (sum(amounts[account] for account in accounts) for amounts in (balances, totals))
        alone = len(accounts) == 1 and accounts[0] not in simulation.derived
        if (alone and accounts[0] in simulation.truth.overdrawn) or (not alone and balance < 0):
            visible.add(accounts[0])
        if total < 0 <= balance:
            hidden.add(accounts[0])
    found = list(findings(simulation.history(), final=True))
    assert {one.account for one in found if one.kind == "visible_overdraft"} == visible
    assert {one.account for one in found if one.kind == "hidden_overdraft"} == hidden


@often
@given(simulations(accounts=5, plain=False))
def test_duplicates_are_the_accounts_that_the_simulation_created_too_many(simulation: Simulation) -> None:
    found = [one.account for one in findings(simulation.history(), final=True) if one.kind == "duplicate"]
    assert len(found) == len(set(found))
    assert set(found) == simulation.surplus()


@often
@given(simulations(ways=("naive", "checked", "locked"), accounts=5, plain=False, least=10))
def test_write_skews_are_the_pairs_that_overlooked_each_other(simulation: Simulation) -> None:
    found = [one for one in findings(simulation.history(), final=True) if one.kind == "write_skew"]
    pairs = {frozenset(entry.id for entry in one.entries) for one in found}
    assert len(found) == len(pairs)
    assert pairs == simulation.skews()


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


def told(simulation: Simulation, kind: str) -> list[str]:
    return [one.sentence for one in findings(simulation.history(), final=True) if one.kind == kind]


def withdraw(account: int, cents: int, way: Way = "computed") -> Write:
    return Write((Leg(account, -cents),), way)


def test_an_owner_may_overdraw_one_account_as_long_as_the_other_makes_up_for_it() -> None:
    simulation = Simulation([0, 5_000, 5_000], owners={2: 7, 3: 7})
    simulation.play([withdraw(2, 8_000, "locked"), withdraw(3, 8_000, "locked")], [], workers=1)
    assert simulation.balances[2].cents == -3_000
    assert not list(findings(simulation.history(), final=True))


def test_an_owners_overdraft_names_the_accounts_that_were_to_back_each_other() -> None:
    simulation = Simulation([0, 5_000, 5_000], owners={2: 7, 3: 7})
    simulation.play([withdraw(2, 8_000), withdraw(3, 8_000)], [], workers=1)
    assert told(simulation, "visible_overdraft") == [
        "owner 7's accounts 2 and 3 hold −60.00 together, below their minimum of 0.00"
    ]


def test_two_withdrawals_that_each_saw_only_the_others_money_are_told_with_both() -> None:
    simulation = Simulation([0, 5_000, 5_000], owners={2: 7, 3: 7})
    writes = [withdraw(2, 8_000, "checked"), withdraw(3, 8_000, "checked")]
    simulation.play(writes, [0, 1, 0, 0, 0, 0], workers=2)
    (sentence,) = told(simulation, "write_skew")
    assert sentence == (
        "operation 0 on bank-0 (−80.00 on account 2) and operation 1 on bank-1 (−80.00 on account 3) "
        "had each read the account that the other changed, before it did"
    )
    assert len(told(simulation, "visible_overdraft")) == 1


def test_transfers_in_opposite_directions_that_checked_what_they_changed_are_no_write_skew() -> None:
    simulation = Simulation([1_000, 1_000])
    there, back = (Write((Leg(one, -100), Leg(other, 100)), "checked") for one, other in ((1, 2), (2, 1)))
    history = simulation.play([there, back], [0, 1, 0, 0, 0, 0], workers=2).history()
    assert len(history.reads) == 4
    assert {read.seen_head for read in history.reads} == {account.head for account in simulation.opened()}
    assert not list(findings(history, final=True))


def test_who_read_a_balance_that_was_put_back_overlooked_its_last_replacement_only() -> None:
    history = Draft(put_back(), put_back().accounts[0])
    zero, _, two = history.history.entries
    after_zero = replace(history.account, head=zero.id)
    history.open(cents=100)
    reader = history.write(10)
    history.read(reader, after_zero)
    history.read(two, replace(history.account, head=history.versions()[0].old_head or zero.id))
    found = [one for one in findings(history.history, final=True) if one.kind == "write_skew"]
    assert [one.operations for one in found] == [(two.operation, reader.operation)]


def test_an_overdrawn_sum_of_entries_is_told_as_a_sum() -> None:
    simulation = Simulation([0, 100], derived={2}).play([withdraw(2, 160)], [], workers=1)
    assert told(simulation, "visible_overdraft") == [
        "the entries of account 2 sum up to −0.60, below its minimum of 0.00"
    ]


def test_a_lost_withdrawal_hides_an_owners_overdraft() -> None:
    simulation = Simulation([0, 100, 0], owners={2: 7, 3: 7})
    simulation.play([withdraw(2, 60, "naive"), withdraw(2, 60, "naive")], [0, 1, 0, 0, 0, 0], workers=2)
    assert told(simulation, "hidden_overdraft") == [
        "owner 7's accounts 2 and 3 hold 0.40 together, but their entries sum up to −0.20, below their minimum of 0.00"
    ]


def test_a_duplicate_is_told_with_both_creations() -> None:
    simulation = Simulation([0, 0, 0], owners={2: 7, 3: 7}, created={2, 3})
    simulation.play([Write((Leg(account, 100),), "locked") for account in (3, 2)], [], workers=1)
    (sentence,) = told(simulation, "duplicate")
    assert sentence == (
        "operation 1 on bank-0 created account 2 for owner 7, who had account 3 by then: "
        "operation 0 on bank-0 created it"
    )
    without = replace(simulation.history(), entries=[])
    (finding,) = (one for one in findings(without, final=True) if one.kind == "duplicate")
    assert finding.sentence.startswith("a write without an entry created account 2 for owner 7")


def test_an_account_that_was_opened_for_an_owner_is_no_duplicate_of_one_that_was_created() -> None:
    simulation = Simulation([0, 0, 0], owners={2: 7, 3: 7}, created={2})
    simulation.play([Write((Leg(2, 100),), "locked"), Write((Leg(3, 100),), "locked")], [], workers=1)
    assert not told(simulation, "duplicate")


def test_half_a_posting_is_told_with_the_leg_that_is_there_and_in_the_final_audit_only() -> None:
    simulation = Simulation([1_000, 0]).play([Write((Leg(1, -100), Leg(2, 100)), "locked")], [], workers=1)
    half = replace(simulation.history(), entries=simulation.entries[:1])
    found = [one.sentence for one in findings(half, final=True) if one.kind == "half_posting"]
    assert found == ["operation 0 on bank-0 has 1 of its 2 legs in the ledger: −1.00 on account 1"]
    assert not [one for one in findings(half, final=False) if one.kind == "half_posting"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([1], "1"),
        ([1, 2], "1 and 2"),
        ([1, 2, 3, 4, 5], "1, 2, 3, 4 and 5"),
        (range(1, 7), "1, 2, 3, 4, 5 and 1 other"),
        (range(1, 100), "1, 2, 3, 4, 5 and 94 others"),
    ],
)
def test_a_long_list_is_cut_and_says_so(names: Sequence[int], told: str) -> None:
    assert listing(names) == told
