"""Every detector against a thousand histories with its anomaly and a thousand without any; and that each is needed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

import pytest

from audit.injections import INJECTIONS
from audit.quick_simulations import clean_histories
from racelab_bank.audit.graph.certificate import certify
from racelab_bank.audit.registry import Detector, detectors
from racelab_bank.audit.report import Outcome, audit, findings

EVERY = pytest.mark.parametrize("detector", detectors(), ids=lambda detector: detector.kind)


def missed(kind: str, using: Sequence[Detector], seeds: Iterable[int]) -> list[int]:
    """Return of which injections these detectors do not say exactly what was injected: who, and how often what."""
    wrong = []
    for seed in seeds:
        injected = INJECTIONS[kind](clean_histories()[seed], Random(seed))
        found = list(findings(injected.history, final=True, using=using))
        own = Counter((one.account, one.operations) for one in found if one.kind == kind)
        exact = own == Counter(injected.findings)
        if not exact or Counter(one.kind for one in found) != injected.counts:
            wrong.append(seed)
    return wrong


@EVERY
def test_a_thousand_injected_anomalies_are_found_each_with_exactly_its_operations(detector: Detector) -> None:
    assert missed(detector.kind, detectors(), range(1_000)) == []


@EVERY
def test_in_a_thousand_clean_histories_nothing_is_found(detector: Detector) -> None:
    assert [seed for seed, history in enumerate(clean_histories()) if detector.find(history)] == []


def test_a_thousand_clean_histories_are_consistent_and_proved_serializable() -> None:
    for history in clean_histories():
        assert audit(history, final=True).outcome is Outcome.CONSISTENT
        assert certify(history).serializable is True


def test_the_thousand_clean_histories_have_accounts_and_writers_of_every_sort() -> None:
    histories = clean_histories()
    assert len(histories) == len({str(history.entries) for history in histories})
    entries = [entry for history in histories for entry in history.entries]
    assert {entry.strategy for entry in entries} == {"naive", "checked", "locked", "conditional"}
    assert {entry.leg_count for entry in entries} == {1, 2}
    assert sum(entry.seen_entries is not None for entry in entries) > 1_000
    assert sum(len(history.reads) for history in histories) > 500
    assert sum(install.old_head is None for history in histories for install in history.installs) > 100


@EVERY
def test_without_its_detector_the_check_of_injected_anomalies_fails(detector: Detector) -> None:
    seeds = range(25)
    others = [one for one in detectors() if one is not detector]
    assert missed(detector.kind, others, seeds) == [*seeds]
    assert missed(detector.kind, detectors(), seeds) == []


def test_the_certificate_refutes_what_is_not_serializable_and_proves_what_is() -> None:
    proved = {kind: set[bool | None]() for kind in INJECTIONS}
    for kind, inject in INJECTIONS.items():
        for seed in range(50):
            proved[kind].add(certify(inject(clean_histories()[seed], Random(seed)).history).serializable)
    refuted = {"dependency_cycle", "duplicate", "hidden_overdraft", "lost_update", "read_skew", "stale_guard"}
    refuted |= {"stale_install", "write_skew"}
    assert {kind for kind, found in proved.items() if found == {False}} == refuted
    # What is spent twice, overdrawn or acknowledged wrong can be so in a serial order, too.
    assert {kind for kind, found in proved.items() if found == {True}} == {
        "double_spend",
        "outcome_mismatch",
        "visible_overdraft",
    }
    # Where half of something is missing, nothing can be performed again.
    assert {kind for kind, found in proved.items() if found == {None}} == {"dirty_read", "half_posting", "torn_write"}
    # A stale read is in time, not in order: it is refuted only where it came with a lost update.
    assert proved["stale_read"] == {True, False}
