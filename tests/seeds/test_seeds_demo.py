"""racy-django's endpoints, and those of its HTTP/2 fork."""

from typing import Any

import pytest
from django.test import Client
from prometheus_client import REGISTRY

from racelab_bank.models import Account, Entry, Run
from racelab_bank.seeds import demo
from racelab_bank.seeds.demo import WAYS
from seeds.playing import Playground, together

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

LOSING = ["atomic_long_delay", "non_atomic_long_delay", "atomic_no_delay", "non_atomic_no_delay"]


@pytest.fixture(autouse=True)
def _no_delay(settings: Any) -> None:
    settings.RACELAB_DELAY_SCALE = 0


def post(name: str, **fields: Any) -> Any:
    return Client(enforce_csrf_checks=True).post(f"/demo/{name}/", fields)


@pytest.mark.parametrize("name", WAYS)
def test_a_deposit_of_whole_units_is_answered_200_and_recorded(playground: Playground, name: str) -> None:
    answer = post(name, account=playground.account.pk, amount=100)
    entry = Entry.objects.get()
    assert (answer.status_code, answer.content) == (200, b"200")
    assert answer["Racelab-Replica"] == "bank-test"
    assert (entry.account_id, entry.amount_cents, entry.strategy) == (playground.account.pk, 10_000, WAYS[name].deposit)
    assert playground.balance(playground.account) == 10_000


@pytest.mark.parametrize("name", WAYS)
def test_a_code_takes_ten_units_off_an_item_once(playground: Playground, name: str) -> None:
    answers = [post(name, item=1, code=1) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 422]
    assert answers[0].content == b"200"
    assert answers[1]["Content-Type"] == "text/plain; charset=utf-8"
    assert answers[1].content == b"code 1 has been used\n"
    assert playground.balance(playground.item) == 99_000
    assert playground.balance(playground.code) == 0
    assert {entry.strategy for entry in Entry.objects.all()} == {WAYS[name].redeem}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "account: given nothing, allowed an integer from 1 to"),
        ({"account": 1}, "amount: given nothing"),
        ({"account": 1, "amount": -1}, "amount: given '-1', allowed an integer from 0 to 10000000000"),
        ({"account": 1, "amount": "1.5"}, "amount: given '1.5'"),
        ({"account": 1, "amount": 10_000_000_001}, "amount: given '10000000001'"),
        ({"account": "٣", "amount": 1}, "account: given"),
        ({"account": 2**63, "amount": 1}, "account: given"),
        ({"item": 1}, "code: given nothing"),
        ({"code": 1}, "item: given nothing"),
        ({"item": 1, "code": 0}, "code: given '0'"),
    ],
)
def test_a_wrong_form_is_400_and_says_why(playground: Playground, fields: dict[str, Any], told: str) -> None:
    answer = post("atomic_no_delay", **fields)
    assert answer.status_code == 400
    assert answer.content.decode().startswith(told)
    assert not Entry.objects.exists()


def test_nothing_deposited_is_allowed_and_recorded(playground: Playground) -> None:
    assert post("atomic_no_delay", account=playground.account.pk, amount=0).status_code == 200
    assert Entry.objects.get().amount_cents == 0


@pytest.mark.parametrize("fields", [{"account": 999_999, "amount": 1}, {"item": 1, "code": 2}, {"item": 2, "code": 1}])
def test_what_is_not_on_the_playground_is_404(playground: Playground, fields: dict[str, Any]) -> None:
    assert post("atomic_no_delay", **fields).status_code == 404


def test_accounts_of_other_runs_and_other_kinds_are_404(playground: Playground) -> None:
    other = Run.objects.create(
        key="other", scenario="deposit", strategy="row_lock", isolation="read-committed", opening_cents=0,
        minimum_cents=0, accounts=1, generators=1,
    )  # fmt: skip
    elsewhere = Account.objects.create(run=other, opening_cents=0, balance_cents=0)
    for account in (elsewhere, playground.item, playground.code):
        answer = post("atomic_no_delay", account=account.pk, amount=1)
        assert answer.status_code == 404
        assert playground.balance(account) == account.opening_cents


def test_codes_are_numbered_in_the_order_in_which_they_were_made(playground: Playground) -> None:
    second = Account.objects.create(run=playground.run, kind="code", opening_cents=1, balance_cents=1)
    assert post("atomic_no_delay", item=1, code=2).status_code == 200
    assert (playground.balance(playground.code), playground.balance(second)) == (1, 0)


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post_changes_anything(playground: Playground, method: str) -> None:
    answer = getattr(Client(), method)("/demo/atomic_no_delay/")
    assert answer.status_code == 405
    assert answer["Racelab-Replica"] == "bank-test"


def test_another_name_is_404(playground: Playground) -> None:
    assert post("hopeful_long_delay", account=playground.account.pk, amount=1).status_code == 404


@pytest.mark.parametrize("name", LOSING)
def test_of_two_deposits_that_overlap_the_naive_ones_lose_one(
    playground: Playground, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lambda: post(name, account=playground.account.pk, amount=100)  # noqa: E731
    assert [answer.content for answer in together(monkeypatch, one, one)] == [b"200", b"200"]
    assert playground.balance(playground.account) == 10_000
    audit = playground.audit()
    assert (audit.anomalies["lost_update"], audit.drift_cents) == (1, -10_000)


def test_of_two_deposits_that_overlap_a_row_lock_loses_none(
    playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lambda: post("row_locking_atomic_long_delay", account=playground.account.pk, amount=100)  # noqa: E731
    together(monkeypatch, one, one)
    assert playground.balance(playground.account) == 20_000
    assert playground.audit().drift_cents == 0


@pytest.mark.parametrize("name", WAYS)
def test_a_code_is_redeemed_twice_everywhere_also_under_the_forks_row_lock(
    playground: Playground, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lambda: post(name, item=1, code=1)  # noqa: E731
    assert [answer.status_code for answer in together(monkeypatch, one, one)] == [200, 200]
    found = playground.audit().anomalies
    assert found["visible_overdraft" if name.startswith("row_locking") else "hidden_overdraft"] == 1


@pytest.mark.parametrize(("drawn", "waited"), [(3, 1.5), (10, 5.0)])
def test_a_long_delay_is_3_to_10_seconds_times_the_scale(
    monkeypatch: pytest.MonkeyPatch, settings: Any, drawn: float, waited: float
) -> None:
    settings.RACELAB_DELAY_SCALE = 0.5
    slept: list[float] = []

    def draw(least: float, most: float) -> float:
        assert (least, most) == (3, 10)
        return drawn

    monkeypatch.setattr("racelab_bank.seeds.demo.random.uniform", draw)
    monkeypatch.setattr("racelab_bank.seeds.demo.time.sleep", slept.append)
    demo.long_delay()
    assert slept == [waited]


def test_requests_are_counted_with_scenario_strategy_and_outcome(playground: Playground) -> None:
    def counted(scenario: str, strategy: str, outcome: str) -> float:
        labels = {"scenario": scenario, "strategy": strategy, "outcome": outcome}
        return REGISTRY.get_sample_value("racelab_bank_requests_total", labels) or 0

    kinds = [("deposit", "row_lock", "applied"), ("deposit", "row_lock", "unknown"), ("deposit", "row_lock", "invalid"),
             ("redeem", "check_then_lock", "refused")]  # fmt: skip
    before = [counted(*kind) for kind in kinds]
    name = "row_locking_atomic_long_delay"
    for fields in ({"account": playground.account.pk, "amount": 1}, {"account": 999_999, "amount": 1}, {},
                   {"item": 1, "code": 1}, {"item": 1, "code": 1}):  # fmt: skip
        post(name, **fields)
    assert [counted(*kind) for kind in kinds] == [one + 1 for one in before]


def test_a_database_that_fails_is_503(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def fail(*_: Any) -> None:
        raise OperationalError("it went away")

    monkeypatch.setattr("racelab_bank.ledger.Bank.apply", fail)
    answer = post("atomic_no_delay", account=playground.account.pk, amount=1)
    assert (answer.status_code, answer.content) == (503, b"the database failed: it went away\n")
