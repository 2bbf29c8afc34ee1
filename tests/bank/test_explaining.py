"""The auditor explains real runs: scripted clients, one of them lost, and what the strategies claim about that."""

import re
from collections.abc import Callable
from itertools import product
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.test import Client, override_settings

from bank.interleaving import ScriptedClient
from racelab_bank.audit.interleaving import Remedy
from racelab_bank.auditor.explaining import remedies
from racelab_bank.claims import ISOLATIONS, Anomaly
from racelab_bank.models import Account, Run
from racelab_bank.prevention import CLAIMS_ONLY
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import Strategy, strategies

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.urls("racelab_bank.auditor.urls"),
]

OpenRun = Callable[..., Run]


def ask(run: str, query: str = "") -> tuple[int, Any]:
    with override_settings(RACELAB_TOKEN="t"):
        answer = Client().get(f"/api/runs/{run}/interleavings{query}", headers={"authorization": "Bearer t"})
    return answer.status_code, answer.json()


def race(run: Run, strategy: str, scenario: str = "deposit", amount: int = 10) -> None:
    """Perform two operations of which both have read before either writes."""
    accounts = list(Account.objects.filter(run=run).order_by("pk").values_list("pk", flat=True)) or [0]
    clients = []
    for name, account, other in (("T1", accounts[0], accounts[-1]), ("T2", accounts[-1], accounts[0])):
        fields = {"account": account, "other": other, "owner": 7, "run": run.key}
        values = [fields[placeholder] for placeholder in scenarios()[scenario].fields.values()]
        posting = scenarios()[scenario].post(*values, amount)
        clients.append(ScriptedClient(name, strategies()[strategy], posting, "read-committed").start())
    for client in clients:
        client.finish()


@pytest.fixture
def raced(open_run: OpenRun) -> Run:
    run = open_run(strategy="atomic_only")
    race(run, "atomic_only")
    return run


def read_and_written(drawn: Any) -> list[tuple[int, str]]:
    return [(event["lane"], event["what"]) for event in drawn["events"] if event["kind"] in {"read", "write"}]


def test_the_lost_operation_and_its_culprit_are_explained(raced: Run) -> None:
    status, told = ask(raced.key)
    assert (status, told["run"], told["count"], told["told"]) == (200, raced.key, 1, None)
    (drawn,) = told["interleavings"]
    assert (drawn["kind"], drawn["operations"]) == ("lost_update", ["T1", "T2"])
    assert read_and_written(drawn) == [
        (0, "reads 1.00 from the opening"),
        (1, "reads 1.00 from the opening"),
        (0, "writes 1.10 over 1.00"),
        (1, "writes 1.10 over 1.10"),
    ]
    times = [event["at_microseconds"] for event in drawn["events"]]
    assert times == sorted(times)
    assert [lane["strategy"] for lane in drawn["lanes"]] == ["atomic_only", "atomic_only"]
    assert len({lane["transaction"] for lane in drawn["lanes"]}) == 2
    assert drawn["svg"] is None
    (again,) = ask(raced.key, "?operation=T2&drawing=true")[1]["interleavings"]
    assert ET.fromstring(again["svg"]).tag == "{http://www.w3.org/2000/svg}svg"


def test_what_would_have_prevented_it_is_told_by_the_strategies_that_claim_to(raced: Run) -> None:
    (drawn,) = ask(raced.key)[1]["interleavings"]
    words = [reason["words"] for reason in drawn["reasons"]]
    for strategy, what in {
        "row_lock": "would have BLOCKED operation T2's read here until operation T1 had committed",
        "f_expression": "would have added operation T2's amount here to what operation T1 had left",
        "version_check": "would have found 0 rows here, as operation T1 had changed the version, and read again",
        "atomic_only at repeatable-read or serializable": "would have let the database abort operation T2's write here",
    }.items():
        (told,) = [one for one in words if strategy in re.split(r", | or (?!serializable)| would ", one)]
        assert what in told
    levels = {name: one.claims.get("read-committed") for name, one in strategies().items()}
    racy = {name for name, claim in levels.items() if claim is not None and Anomaly.LOST_UPDATE in claim.anomalies}
    named = {name for one in words[:-1] for name in re.findall(r"\w+", one.split(" would ")[0])}
    assert not named & racy
    assert "[1] advisory_lock, " in drawn["text"]


def test_two_operations_that_overlooked_each_other_are_explained(open_run: OpenRun) -> None:
    run = open_run(scenario="joint", strategy="joint_read", opening_cents=50)
    race(run, "joint_read", "joint", 80)
    _, told = ask(run.key)
    drawn = told["interleavings"][0]
    assert (drawn["kind"], drawn["operations"]) == ("write_skew", ["T1", "T2"])
    assert [lane for lane, what in read_and_written(drawn) if what.startswith("reads")] == [0, 0, 1, 1]
    assert "joint_lock would have BLOCKED operation T2's read here until operation T1 had committed" in drawn["reason"]
    assert "joint_read at serializable would have let the database abort one of the two (40001)" in drawn["reason"]


def test_a_check_that_came_too_early_is_explained(open_run: OpenRun) -> None:
    run = open_run(scenario="withdraw", strategy="f_expression")
    race(run, "f_expression", "withdraw", 80)
    (drawn,) = ask(run.key)[1]["interleavings"]
    assert (drawn["kind"], drawn["operations"]) == ("stale_guard", ["T1", "T2"])
    assert (1, "adds −0.80: 0.20 ⇒ −0.60") in read_and_written(drawn)
    assert "f_expression" not in drawn["reason"], "it is what has failed"


def test_an_owner_who_was_given_two_accounts_is_explained(open_run: OpenRun) -> None:
    run = open_run(scenario="open", strategy="select_then_insert")
    race(run, "select_then_insert", "open")
    (drawn,) = ask(run.key)[1]["interleavings"]
    assert [what for _, what in read_and_written(drawn)][:2] == ["finds no account of owner 7"] * 2
    assert "get_or_create_unique would have refused operation T2's insert here (23505)" in drawn["reason"]


def test_an_operation_that_was_not_lost_is_told_so(raced: Run, client: Client) -> None:
    form = {"account": Account.objects.get(run=raced).pk, "amount": 5, "operation": "T3"}
    with override_settings(ROOT_URLCONF="racelab_bank.urls"):
        assert client.post("/bank/deposit/row_lock/", form).status_code == 200
    status, told = ask(raced.key, "?operation=T3")
    assert (status, told["count"], told["interleavings"]) == (200, 0, [])
    assert told["told"] == "operation T3 is in the ledger: nobody overwrote it, and it overwrote nobody"


def test_pages_are_of_the_size_that_was_asked_for(open_run: OpenRun) -> None:
    run = open_run(strategy="atomic_only")
    for _ in range(3):
        race(run, "atomic_only")
    status, told = ask(run.key, "?offset=1&limit=1")
    kinds = [drawn["kind"] for drawn in ask(run.key)[1]["interleavings"]]
    assert (status, told["count"], len(told["interleavings"])) == (200, len(kinds), 1)
    assert kinds.count("lost_update") == 3


def test_what_is_not_there_is_told(raced: Run, open_run: OpenRun) -> None:
    assert ask(raced.key, "?operation=T9") == (404, {"detail": f"run {raced.key} has no operation T9"})
    assert ask("nothing")[0] == 404
    assert ask(raced.key, "?limit=0")[0] == 422
    status, told = ask(open_run().key)
    assert (status, told["count"], told["told"]) == (200, 0, "no operation was lost, and no two overlooked each other")


@pytest.mark.parametrize("strategy", strategies().values(), ids=strategies())
def test_who_loses_or_doubles_something_does_not_say_how_that_is_prevented(strategy: Strategy) -> None:
    unsafe = {Anomaly.LOST_UPDATE, Anomaly.DUPLICATE, Anomaly.WRITE_SKEW}
    served = [scenario for scenario in scenarios().values() if strategy.serves(scenario)]
    shown = {
        anomaly for one, level in product(served, strategy.claims) for anomaly in strategy.claim(one, level).anomalies
    }
    assert strategy.prevents is CLAIMS_ONLY or not shown & unsafe


@pytest.mark.parametrize(("scenario", "isolation"), [*product([*scenarios(), "playground"], ISOLATIONS)])
def test_remedies_are_what_the_strategies_claim(scenario: str, isolation: str) -> None:
    known = remedies(scenario, isolation)
    assert (known.isolation, set(known.of)) == (isolation, {str(anomaly) for anomaly in Anomaly})
    for one in (remedy for of in known.of.values() for remedy in of):
        strategy = strategies()[one.strategy]
        if scenario in scenarios():
            assert one == claimed(strategy, scenario, one.isolation)
        else:
            assert one in [claimed(strategy, name, one.isolation) for name in scenarios()]


def claimed(strategy: Strategy, scenario: str, isolation: str) -> Remedy:
    """Say what a strategy claims, as a remedy."""
    claim = strategy.claim(scenarios()[scenario], isolation)
    aborted = claim.kind == "aborts" and not strategy.prevents.refuses
    return Remedy(strategy.name, isolation, None if aborted else strategy.prevents, frozenset(claim.anomalies))
