"""The auditor explains a real run: two scripted clients, one of them lost."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, override_settings

from bank.interleaving import ScriptedClient
from racelab_bank.models import Account, Run
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import strategies

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.urls("racelab_bank.auditor.urls"),
]


def ask(run: str, query: str = "") -> tuple[int, Any]:
    with override_settings(RACELAB_TOKEN="t"):
        answer = Client().get(f"/api/runs/{run}/interleavings{query}", headers={"authorization": "Bearer t"})
    return answer.status_code, answer.json()


@pytest.fixture
def raced(open_run: Callable[..., Run]) -> Run:
    run = open_run(strategy="atomic_only")
    posting = scenarios()["deposit"].post(Account.objects.get(run=run).pk, 10)
    first, second = (
        ScriptedClient(name, strategies()["atomic_only"], posting, "read-committed").start() for name in ("T1", "T2")
    )
    first.finish()
    second.finish()
    return run


def test_the_lost_operation_and_its_culprit_are_explained(raced: Run) -> None:
    status, told = ask(raced.key)
    assert (status, told["count"], told["told"]) == (200, 1, None)
    (drawn,) = told["interleavings"]
    assert drawn["operations"] == ["T1", "T2"]
    assert [(event["lane"], event["what"]) for event in drawn["events"]] == [
        (0, "reads 1.00"),
        (1, "reads 1.00"),
        (0, "writes 1.10 over 1.00"),
        (1, "writes 1.10 over 1.10"),
    ]
    assert "row_lock would have blocked operation T2's read" in drawn["reason"]
    assert "LOST" in drawn["text"]
    assert drawn["svg"] is None
    (again,) = ask(raced.key, "?operation=T2&drawing=true")[1]["interleavings"]
    assert again["svg"].startswith("<svg")


def test_an_operation_that_was_not_lost_is_told_so(raced: Run, client: Client) -> None:
    form = {"account": Account.objects.get(run=raced).pk, "amount": 5, "operation": "T3"}
    with override_settings(ROOT_URLCONF="racelab_bank.urls"):
        assert client.post("/bank/deposit/row_lock/", form).status_code == 200
    status, told = ask(raced.key, "?operation=T3")
    assert (status, told["interleavings"]) == (200, [])
    assert told["told"] == "operation T3 is in the ledger: nobody overwrote it, and it overwrote nobody"


def test_what_is_not_there_is_told(raced: Run, open_run: Callable[..., Run]) -> None:
    assert ask(raced.key, "?operation=T9") == (404, {"detail": f"run {raced.key} has no operation T9"})
    assert ask("nothing")[0] == 404
    assert ask(raced.key, "?limit=0")[0] == 422
    status, told = ask(open_run().key)
    assert (status, told["count"], told["told"]) == (200, 0, "no operation was lost, and no two overlooked each other")
