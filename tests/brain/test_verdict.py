"""Every rule of the verdicts, in the order in which they apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain.samples import ABORTS, RACY, SAFE, anomalous, audit, experiment, step
from racelab_operator.catalog import catalog
from racelab_operator.verdict import exit_code, judge, overall, what_happened

if TYPE_CHECKING:
    from racelab_operator.catalog import Claim
    from racelab_operator.observed import Audit

INCOMPLETE = {"histories": {"expected": 2, "complete": 1, "lost": {"1": "OOMKilled"}}, "outcome": "Unknown"}
INCOMPLETE_ANOMALOUS = INCOMPLETE | {"outcome": "Anomalous"}
FEW_REPLICAS = {"replicas_seen": ["bank-0", "bank-2"]}
ONE_WRITER = {"writers_seen": 1}
UNCLAIMED = {"anomalies": {"lost_update": 0, "torn_write": 2}, "lost": 0, "drift_cents": 300}
BROKEN = {"outcome": "Unknown", "reason": "the drift's identity does not hold"}

RULES = {
    "safe with an anomaly": (SAFE, anomalous(), "Refuted"),
    "aborts with an anomaly": (ABORTS, anomalous(), "Refuted"),
    "safe with an anomaly, even if histories are incomplete": (SAFE, anomalous(**INCOMPLETE_ANOMALOUS), "Refuted"),
    "safe with an anomaly, even if a replica was not seen": (SAFE, anomalous(**FEW_REPLICAS), "Refuted"),
    "safe, incomplete": (SAFE, audit(**INCOMPLETE), "Unknown"),
    "racy with its anomaly, incomplete": (RACY, anomalous(**INCOMPLETE_ANOMALOUS), "Unknown"),
    "safe, a replica was not seen": (SAFE, audit(**FEW_REPLICAS), "Unknown"),
    "racy with its anomaly, a replica was not seen": (RACY, anomalous(**FEW_REPLICAS), "Unknown"),
    "the audit came to no outcome": (SAFE, audit(**BROKEN), "Unknown"),
    "racy with its anomaly": (RACY, anomalous(), "Confirmed"),
    "racy with others only": (RACY, anomalous(**UNCLAIMED), "Refuted"),
    "racy with none": (RACY, audit(), "NotReproduced"),
    "safe with none": (SAFE, audit(), "Confirmed"),
    "aborts with none": (ABORTS, audit(conflicts=120), "Confirmed"),
    "aborts without a conflict too": (ABORTS, audit(), "Confirmed"),
    "racy with none, one writer": (RACY, audit(**ONE_WRITER), "Confirmed"),
    "racy with an anomaly, one writer": (RACY, anomalous(**ONE_WRITER), "Refuted"),
    "nothing was written": (SAFE, audit(entries=0, writers_seen=0), "Unknown"),
    "racy, nothing was written": (RACY, audit(entries=0, writers_seen=0), "Unknown"),
    "the audit is not final": (SAFE, anomalous(final=False), "Unknown"),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule(rule: str) -> None:
    claim, observed, expected = RULES[rule]
    verdict = judge(step(claim), observed)
    assert verdict.word == expected
    assert f"claimed {claim.kind}: {expected}" in verdict.reason


@pytest.mark.parametrize(
    ("expect", "observed", "word"),
    [
        ("Consistent", audit(), "Confirmed"),
        ("Consistent", anomalous(), "Refuted"),
        ("Anomalous", anomalous(), "Confirmed"),
        ("Anomalous", anomalous(**UNCLAIMED), "Confirmed"),
        ("Anomalous", audit(), "NotReproduced"),
        ("Anomalous", audit(**ONE_WRITER), "NotReproduced"),
        ("Anomalous", anomalous(**INCOMPLETE_ANOMALOUS), "Unknown"),
    ],
)
@pytest.mark.parametrize("claim", [SAFE, RACY, ABORTS], ids=lambda claim: claim.kind)
def test_what_the_file_expects_takes_the_place_of_the_claim(
    claim: Claim, expect: Any, observed: Audit, word: str
) -> None:
    assert judge(step(claim), observed, expect).word == word


def test_the_reason_is_a_sentence_in_the_words_of_the_field() -> None:
    assert judge(step(), anomalous()).reason == (
        "atomic_only at 3 replicas lost 187 of 300 deposits (drift −187.00); claimed racy: Confirmed"
    )
    one = judge(step(replicas=1), audit(writers_seen=1, replicas_seen=["bank-0"]))
    assert one.reason == (
        "atomic_only at 1 replica lost none of 300 deposits; claimed racy: Confirmed (one writer cannot race)"
    )
    overdrawn = anomalous(anomalies={"lost_update": 187, "hidden_overdraft": 1}, refused=2, conflicts=3)
    assert judge(step(), overdrawn).reason == (
        "atomic_only at 3 replicas lost 187 of 300 deposits (drift −187.00) and showed 1 hidden overdraft, "
        "2 refused, 3 in conflict; claimed racy: Confirmed"
    )
    lost = judge(step(), audit(**INCOMPLETE)).reason
    assert lost.endswith("Unknown (1 of 2 histories are complete: generator 1: OOMKilled)")


def test_a_request_with_two_legs_is_told_with_both() -> None:
    transfer = experiment(scenario="transfer").steps[0]
    lost = anomalous(entries=599, lost=12, drift_cents=-200)
    assert what_happened(transfer, lost) == (
        "atomic_only at 3 replicas lost 12 of 599 legs of 300 transfers (drift −2.00)"
    )
    assert what_happened(transfer, audit(entries=600)) == "atomic_only at 3 replicas lost none of 300 transfers"


def test_what_a_scenario_calls_its_requests_is_what_they_are_called() -> None:
    for name, scenario in catalog().scenarios.items():
        strategy = catalog().strategies_for(name)[0]
        told = what_happened(experiment(scenario=name, strategies=[strategy]).steps[0], audit(entries=60))
        assert told == f"{strategy} at 3 replicas lost none of {60 // scenario.legs} {scenario.noun}"


def test_other_anomalies_are_counted_in_words() -> None:
    shown = {"lost_update": 0, "write_skew": 2, "duplicate": 1, "outcome_mismatch": 3, "visible_overdraft": 0}
    assert what_happened(step(), audit(anomalies=shown)) == (
        "atomic_only at 3 replicas lost none of 300 deposits "
        "and showed 2 write skews, 1 duplicate, 3 outcome mismatches"
    )


@given(
    st.sampled_from([SAFE, RACY, ABORTS]),
    st.sampled_from(["Consistent", "Anomalous", "Unknown"]),
    st.integers(0, 2),
    st.integers(0, 4),
    st.sampled_from(["Claim", "Consistent", "Anomalous"]),
)
def test_nothing_is_confirmed_with_a_history_missing(
    claim: Claim, outcome: Any, complete: int, writers: int, expect: Any
) -> None:
    found = anomalous if outcome == "Anomalous" else audit
    observed = found(outcome=outcome, writers_seen=writers, histories={"expected": 3, "complete": complete})
    assert judge(step(claim), observed, expect).word in {"Unknown", "Refuted"}


@pytest.mark.parametrize(
    ("words", "word", "code"),
    [
        (["Confirmed", "Confirmed"], "Confirmed", 0),
        (["Confirmed", "NotReproduced"], "NotReproduced", 1),
        (["NotReproduced", "Unknown"], "Unknown", 3),
        (["Unknown", "Refuted", "Confirmed"], "Refuted", 1),
        ([], "Unknown", 3),
    ],
)
def test_an_experiment_is_as_good_as_its_worst_step(words: list[Any], word: str, code: int) -> None:
    assert overall(words) == word
    assert exit_code(words) == code
