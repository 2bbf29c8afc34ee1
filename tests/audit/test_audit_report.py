"""Which conclusion is drawn from what, in which order, and the figures that are told with it."""

import json
import time
from dataclasses import replace
from itertools import pairwise
from random import Random
from types import MappingProxyType
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.drawn_simulations import clean_simulations, often
from audit.injections import INJECTIONS
from audit.simulated_bank import Leg, Simulation, Write
from racelab_bank.audit.history import History
from racelab_bank.audit.live import LiveAudit
from racelab_bank.audit.reconciliation import reconcile
from racelab_bank.audit.report import Outcome, audit, live_report, percentile, timing
from racelab_bank.audit.rows import Account, Entry, Histories, Install, Operation
from racelab_bank.audit.tables import Operations
from racelab_bank.audit.timeline import timeline

NO_HISTORY = Histories(expected=0)


def clean(histories: Histories | None = None) -> History:
    writes = [Write((Leg(1, 100),), "locked"), Write((Leg(1, -5_000),), "locked"), Write((Leg(1, -50),), "conditional")]
    return Simulation([1000]).play(writes, [], workers=1).history(histories)


def injected(kind: str, histories: Histories | None = None) -> History:
    return INJECTIONS[kind](clean(histories), Random(1)).history


def operation(key: str, kind: str, begin: int = 0, end: int = 1, status: int | None = 200) -> Operation:
    return Operation(0, key, kind, 1, 100, status, None, None, None, begin, end, None)  # type: ignore[arg-type]


@often
@given(clean_simulations())
def test_a_clean_run_with_all_its_histories_is_consistent(simulation: Simulation) -> None:
    report = audit(simulation.history(), final=True)
    assert (report.outcome, sum(report.anomalies.values()), report.culprits) == (Outcome.CONSISTENT, 0, 0)


def test_a_broken_identity_is_unknown_even_beside_anomalies() -> None:
    history = injected("lost_update")
    report = audit(replace(history, accounts=[replace(history.accounts[0], balance_cents=7)]), final=True)
    assert report.outcome is Outcome.UNKNOWN
    assert not report.identity_holds
    assert report.reason.startswith("the drift identity does not hold: account 1: ")


def test_an_anomaly_stands_without_the_histories() -> None:
    history = injected("torn_write", Histories(2, frozenset({0}), {1: "its Pod was killed"}))
    report = audit(history, final=True)
    assert report.outcome is Outcome.ANOMALOUS
    assert report.reason == "1 torn write; the history of generator 1 is lost: its Pod was killed"


@pytest.mark.parametrize(
    ("histories", "reason"),
    [
        (Histories(1), "the history of generator 0 has not arrived"),
        (Histories(2, frozenset({0}), MappingProxyType({1: "no answer"})), "generator 1 is lost: no answer"),
    ],
)
def test_without_all_histories_a_clean_ledger_is_unknown(histories: Histories, reason: str) -> None:
    report = audit(clean(histories), final=True)
    assert report.outcome is Outcome.UNKNOWN
    assert reason in report.reason


def test_a_history_that_arrived_after_all_is_not_lost() -> None:
    assert Histories(1, frozenset({0}), {0: "given up too early"}).missing() is None


def test_more_in_the_ledger_than_was_sent_is_unknown() -> None:
    history = clean()
    report = audit(replace(history, operations=history.operations[1:]), final=True)
    assert report.outcome is Outcome.UNKNOWN
    assert report.reason.startswith("the ledger holds 2 operations, but only 1 were acknowledged and 0 are unknown")


def test_operations_that_nobody_knows_of_may_be_applied_or_not() -> None:
    history = clean()
    unknown = [replace(one, type="info") for one in history.operations]
    assert audit(replace(history, operations=unknown), final=True).outcome is Outcome.CONSISTENT
    none_applied = History(history.accounts, [], [], unknown, history.histories)
    assert reconcile(none_applied).reason is None


@often
@given(st.lists(st.sampled_from(["ok", "info", "fail", "absent", "foreign"]), max_size=20))
def test_reconciliation_counts_keys(kinds: list[str]) -> None:
    history = clean()
    template = history.entries[0]
    entries = [
        replace(template, id=UUID(int=number + 1), operation=str(number))
        for number, kind in enumerate(kinds)
        if kind in ("ok", "info", "foreign")
    ]
    operations = [
        operation(str(number), "ok" if kind == "absent" else kind)
        for number, kind in enumerate(kinds)
        if kind != "foreign"
    ]
    result = reconcile(History(history.accounts, entries, [], operations, history.histories))
    ok = kinds.count("ok") + kinds.count("absent")
    assert (result.reason is None) == (ok <= len(entries) <= ok + kinds.count("info"))


def test_a_retry_that_succeeded_makes_its_failed_attempts_harmless() -> None:
    history = clean()
    conflict = replace(history.operations[0], type="fail", outcome="conflict", status=409, entry=None)
    report = audit(replace(history, operations=[conflict, *history.operations]), final=True)
    assert report.outcome is Outcome.CONSISTENT
    assert (report.conflicts, report.refused) == (1, 1)


def test_the_playground_is_judged_by_its_ledger_alone() -> None:
    report = audit(replace(clean(NO_HISTORY), operations=[]), final=False)
    assert (report.outcome, report.reason) == (Outcome.CONSISTENT, "no history: the ledger alone was judged")
    assert audit(injected("double_spend", NO_HISTORY), final=False).outcome is Outcome.ANOMALOUS


def test_entries_without_a_key_are_no_double_spend() -> None:
    history = clean(NO_HISTORY)
    nameless = [replace(entry, operation="") for entry in history.entries]
    assert audit(replace(history, entries=nameless, operations=[]), final=True).outcome is Outcome.CONSISTENT


def test_the_json_has_the_fields_of_the_contract() -> None:
    told = audit(clean(), final=True).to_json("run", start_skew_microseconds=180)
    assert json.loads(json.dumps(told)) == {
        "run": "run",
        "final": True,
        "outcome": "Consistent",
        "reason": "every balance is what its entries make it, and the histories agree with the ledger",
        "anomalies": {
            "dependency_cycle": 0,
            "dirty_read": 0,
            "double_spend": 0,
            "duplicate": 0,
            "half_posting": 0,
            "hidden_overdraft": 0,
            "lost_update": 0,
            "outcome_mismatch": 0,
            "read_skew": 0,
            "stale_read": 0,
            "torn_write": 0,
            "visible_overdraft": 0,
            "write_skew": 0,
        },
        "accounts": 1,
        "entries": 2,
        "opening_cents": 1000,
        "ledger_total_cents": 1050,
        "balance_cents": 1050,
        "drift_cents": 0,
        "absolute_drift_cents": 0,
        "lost": 0,
        "culprits": 0,
        "overdrafts": {"visible": 0, "hidden": 0},
        "identity_holds": True,
        "replicas_seen": ["bank-0"],
        "writers_seen": 1,
        "histories": {"expected": 1, "complete": 1, "lost": {}},
        "operations": {"ok": 2, "fail": 1, "info": 0},
        "refused": 1,
        "conflicts": 0,
        "start_skew_microseconds": 180,
        "seconds": told["seconds"],
        "requests_per_second": told["requests_per_second"],
        "latency_milliseconds": told["latency_milliseconds"],
        "timeline": [point.to_json() for point in timeline(clean())],
        "certificate": {
            "serializable": True,
            "reason": "2 operations performed again one after the other give every recorded balance",
            "operations": 2,
            "dependencies": {"ww": 1, "wr": 0, "rw": 0},
            "order": told["certificate"]["order"],
            "cycles": None,
            "operations_on_cycles": 0,
            "witnesses": [],
        },
    }


def test_without_operations_nothing_is_said_of_time() -> None:
    told = audit(replace(clean(NO_HISTORY), operations=[]), final=True).to_json("playground")
    for name in ("start_skew_microseconds", "seconds", "requests_per_second", "latency_milliseconds"):
        assert told[name] is None


def test_timing_takes_the_operations_that_were_answered() -> None:
    answered = [operation(str(one), "ok", begin=1_000 * one, end=1_000 * one + 100 * (one + 1)) for one in range(100)]
    unanswered = operation("lost", "info", begin=0, end=30_000_000, status=None)
    measured = timing(Operations.of([*answered, unanswered]))
    assert (measured.p50_milliseconds, measured.p99_milliseconds) == (5.0, 9.9)
    assert measured.seconds == 0.109
    assert measured.requests_per_second == 917.4


@often
@given(st.lists(st.integers(), min_size=1).map(sorted), st.integers(1, 100))
def test_a_percentile_is_the_first_value_that_covers_its_share(values: list[int], percent: int) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


def test_a_live_report_tells_what_is_seen_and_that_the_run_goes_on() -> None:
    history = injected("lost_update")
    opening_head = history.installs[0].old_head
    assert opening_head is not None
    live = LiveAudit([replace(history.accounts[0], head=opening_head)])
    before = live_report(live.figures(), Histories(expected=1))
    assert (before.outcome, before.reason) == (Outcome.UNKNOWN, "the run is not closed yet")
    live.consume(history.entries, history.installs)
    report = live_report(live.figures(), Histories(expected=1))
    final = audit(history, final=True).to_json("run")
    assert report.outcome is Outcome.ANOMALOUS
    assert report.reason.endswith("the run is not closed yet")
    told = report.to_json("run")
    assert told.keys() == final.keys()
    same = ("anomalies", "entries", "drift_cents", "absolute_drift_cents", "lost", "culprits", "replicas_seen")
    assert {name: told[name] for name in same} == {name: final[name] for name in same}


def one_account(previous_of: list[int]) -> History:
    """A history of deposits, the k-th computed from what version `previous_of[k]` (0: the opening) had written."""
    entries, installs, balances = [], [], [0]
    heads = [UUID(int=1 << 100), *(UUID(int=number + 1) for number in range(len(previous_of)))]
    for number, seen in enumerate(previous_of):
        before = balances[seen]
        entries.append(
            Entry(
                heads[number + 1], 0, 1, 1, str(number), 1, before, before + 1, heads[seen], "s", "bank-0", "1", 1, 1, 1
            )
        )
        balances.append(before + 1)
    for number, (old, new) in enumerate(pairwise(zip(heads, balances, strict=True))):
        installs.append(Install(number, 1, old[0], new[0], old[1], new[1], 1))
    return History([Account(1, 0, balances[-1], 0, heads[-1])], entries, installs, [], NO_HISTORY)


@pytest.mark.parametrize("shape", ["all read the opening", "each overwrites the one before", "no race"])
def test_the_cost_is_linear_even_when_everybody_overwrites_everybody(shape: str) -> None:
    size = 30_000
    previous_of = {
        "all read the opening": [0] * size,
        "each overwrites the one before": [max(0, number - 1) for number in range(size)],
        "no race": list(range(size)),
    }[shape]
    history = one_account(previous_of)
    begin = time.process_time()
    report = audit(history, final=True)
    # About 0.1 s; 30,000 squared would be minutes.
    assert time.process_time() - begin < 5
    assert report.identity_holds
    assert report.drift_cents == -report.lost


def test_an_attempt_that_timed_out_before_one_that_was_acknowledged_counts_once() -> None:
    history = clean()
    timed_out = replace(history.operations[0], type="info", status=None, outcome=None, entry=None)
    twice = replace(history, operations=[timed_out, *history.operations])
    assert reconcile(twice).info == 0
    foreign = replace(history.entries[0], id=UUID(int=99), operation="foreign")
    assert reconcile(replace(twice, entries=[*history.entries, foreign])).reason is not None


def test_it_is_the_very_entry_that_was_acknowledged_which_must_be_there() -> None:
    history = clean()
    other = replace(history.operations[0], entry=UUID(int=99))
    report = audit(replace(history, operations=[other, *history.operations[1:]]), final=True)
    assert report.anomalies["outcome_mismatch"] == 1


def test_the_second_of_two_applied_attempts_may_be_the_one_that_was_acknowledged() -> None:
    history = injected("double_spend")
    again = history.entries[-1]
    acknowledged = [replace(one, entry=again.id) if one.key == again.operation else one for one in history.operations]
    report = audit(replace(history, operations=acknowledged), final=True)
    assert (report.anomalies["double_spend"], report.anomalies["outcome_mismatch"]) == (1, 0)
