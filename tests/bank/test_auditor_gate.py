"""The gate: one moment for all generators, and each of them passes once."""

import pytest
from django.test import Client

from bank.auditor_api import BODY, Api
from racelab_bank.auditor import gate
from racelab_bank.entries import now_microseconds
from racelab_bank.models import Generator, Run

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.urls("racelab_bank.auditor.urls"),
]


@pytest.fixture
def api(client: Client) -> Api:
    return Api(client)


def test_the_gate_opens_once_when_all_generators_are_there(api: Api) -> None:
    api.put("runs/a", BODY)
    before = now_microseconds()
    waiting = api.post("runs/a/gate/0").json()
    assert (waiting["state"], waiting["start_at_microseconds"]) == ("waiting", None)
    assert before <= waiting["received_at_microseconds"] <= waiting["sent_at_microseconds"] <= now_microseconds()
    opened = api.post("runs/a/gate/1").json()
    assert opened["state"] == "open"
    assert opened["start_at_microseconds"] > opened["sent_at_microseconds"]
    assert api.post("runs/a/gate/0").json()["start_at_microseconds"] == opened["start_at_microseconds"]
    assert api.get("runs/a").json()["gate"]["registered"] == [0, 1]


def test_a_generator_that_nobody_expects_is_turned_away(api: Api) -> None:
    api.put("runs/a", BODY)
    assert api.post("runs/a/gate/2").status_code == 409


def test_a_generator_that_comes_after_the_gate_opened_is_turned_away(api: Api) -> None:
    api.put("runs/a", BODY)
    for index in range(2):
        api.post(f"runs/a/gate/{index}")
    Generator.objects.filter(index=1).update(registered=False)
    response = api.post("runs/a/gate/1")
    assert response.status_code == 409
    assert "late" in response.json()["detail"]


def test_once_the_gate_is_open_another_process_of_the_same_index_is_turned_away(api: Api) -> None:
    api.put("runs/a", BODY)
    api.post("runs/a/gate/0?process=first")
    assert api.post("runs/a/gate/1?process=other").json()["state"] == "open"
    response = api.post("runs/a/gate/0?process=second")
    assert response.status_code == 409
    assert "nothing is sent twice" in response.json()["detail"]
    assert api.post("runs/a/gate/0?process=first").json()["state"] == "open"


def test_while_the_gate_waits_another_process_takes_the_place_of_one_that_may_have_died(api: Api) -> None:
    api.put("runs/a", BODY)
    api.post("runs/a/gate/0?process=first")
    assert api.post("runs/a/gate/0?process=second").json()["state"] == "waiting"
    assert api.post("runs/a/gate/1?process=other").json()["state"] == "open"
    assert api.post("runs/a/gate/0?process=second").json()["state"] == "open"
    assert api.post("runs/a/gate/0?process=first").status_code == 409


def test_the_gate_fails_when_a_generator_never_comes(api: Api) -> None:
    api.put("runs/a", BODY)
    api.post("runs/a/gate/0")
    long_ago = now_microseconds() - gate.PATIENCE_MICROSECONDS - 1
    Run.objects.filter(key="a").update(gate_since_microseconds=long_ago)
    failed = api.post("runs/a/gate/0").json()
    assert failed["state"] == "failed"
    assert "had not come: 1" in failed["reason"]
    assert api.post("runs/a/gate/1").status_code == 409
