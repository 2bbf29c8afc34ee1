"""The bank's HTTP API: every answer that docs/contracts.md promises."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY

from racelab_bank.auditor import runs
from racelab_bank.ledger import Bank
from racelab_bank.models import Account, Entry, Read, Run
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import serving, strategies

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def post(client: Client, scenario: str = "deposit", strategy: str = "atomic_only", **fields: Any) -> Any:
    return client.post(f"/bank/{scenario}/{strategy}/", {"amount": 10, "operation": "17", **fields})


def test_an_applied_operation_tells_its_entry_and_both_balances(client: Client, open_run: Callable[..., Run]) -> None:
    account = Account.objects.get(run=open_run())
    response = post(client, account=account.pk)
    entry = Entry.objects.get()
    assert response.status_code == 200
    assert response.json() == {
        "outcome": "applied",
        "entry": str(entry.key),
        "balance_before_cents": 100,
        "balance_after_cents": 110,
        "retries": 0,
    }
    assert response["Racelab-Replica"] == "bank-test"
    assert (entry.operation, entry.strategy, entry.replica) == ("17", "atomic_only", "bank-test")
    assert entry.previous == account.head


def test_balances_are_null_where_the_database_computed_them(client: Client, open_run: Callable[..., Run]) -> None:
    account = Account.objects.get(run=open_run())
    answer = post(client, strategy="f_expression", account=account.pk).json()
    assert (answer["balance_before_cents"], answer["balance_after_cents"]) == (None, None)
    account.refresh_from_db()
    assert account.balance_cents == 110


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({}, "account", "an integer from 1 to"),
        ({"account": "x"}, "account", "an integer from 1 to"),
        ({"account": "٣"}, "account", "an integer from 1 to"),
        ({"account": 2**63}, "account", f"an integer from 1 to {2**63 - 1}"),
        ({"account": 1, "amount": 0}, "amount", "an integer from 1 to 1000000000000"),
        ({"account": 1, "amount": "1.5"}, "amount", "an integer from 1 to 1000000000000"),
        ({"account": 1, "amount": "-5"}, "amount", "an integer from 1 to 1000000000000"),
        ({"account": 1, "operation": ""}, "operation", "1 to 100 printable characters"),
        ({"account": 1, "operation": "x" * 101}, "operation", "1 to 100 printable characters"),
        ({"account": 1, "operation": "a\0b"}, "operation", "1 to 100 printable characters"),
        ({"account": 1, "isolation": "chaos"}, "isolation", "read-committed or repeatable-read or serializable"),
        ({"account": 1, "window_milliseconds": 10_001}, "window_milliseconds", "an integer from 0 to 10000"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_is_allowed(
    client: Client, fields: dict[str, Any], field: str, allowed: str
) -> None:
    response = post(client, **fields)
    answer = response.json()
    assert response.status_code == 400
    assert answer["field"] == field
    assert allowed in answer["reason"]
    assert answer["value"] == (str(fields[field]) if field in fields else None)


def test_a_form_that_cannot_be_read_is_a_wrong_request(client: Client) -> None:
    response = client.post(
        "/bank/deposit/atomic_only/", b"--x\r\nnonsense", content_type="multipart/form-data; boundary="
    )
    assert response.status_code == 400
    assert response.json()["outcome"] == "invalid"


@pytest.mark.parametrize("strategy", strategies())
@pytest.mark.parametrize("scenario", ["deposit", "withdraw"])
def test_an_unknown_account_is_404_with_every_strategy(client: Client, scenario: str, strategy: str) -> None:
    response = post(client, scenario, strategy, account=999_999_999)
    assert (response.status_code, response.json()["outcome"]) == (404, "unknown")
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/bank/steal/atomic_only/", "scenario: given 'steal', allowed deposit"),
        ("/bank/deposit/hope/", "strategy: given 'hope', allowed advisory_lock"),
        ("/elsewhere/", "there is no /elsewhere/ here"),
    ],
)
def test_what_does_not_exist_is_404_with_what_does(client: Client, path: str, told: str) -> None:
    response = client.post(path, {"account": 1})
    assert response.status_code == 404
    assert told in response.json()["reason"]


def test_only_post_changes_anything(client: Client) -> None:
    response = client.get("/bank/deposit/atomic_only/")
    assert response.status_code == 405
    assert "POST" in response.json()["reason"]


@pytest.mark.parametrize("strategy", serving(scenarios()["withdraw"]))
def test_a_withdrawal_below_the_minimum_is_refused_and_leaves_no_row(
    client: Client, open_run: Callable[..., Run], strategy: str
) -> None:
    account = Account.objects.get(run=open_run(scenario="withdraw", strategy=strategy, minimum_cents=95))
    response = post(client, "withdraw", strategy, account=account.pk)
    assert (response.status_code, response.json()["outcome"]) == (422, "refused")
    assert not Entry.objects.exists()
    account.refresh_from_db()
    assert account.balance_cents == 100


@pytest.mark.parametrize("strategy", serving(scenarios()["deposit"]))
def test_nothing_is_written_on_a_closed_run(client: Client, open_run: Callable[..., Run], strategy: str) -> None:
    run = open_run(strategy=strategy)
    runs.close_run(run)
    response = post(client, "deposit", strategy, account=Account.objects.get(run=run).pk)
    assert (response.status_code, response.json()["outcome"]) == (410, "closed")
    assert not Entry.objects.exists()


def test_a_floor_that_python_checked_is_recorded_as_a_read(client: Client, open_run: Callable[..., Run]) -> None:
    account = Account.objects.get(run=open_run(scenario="withdraw"))
    post(client, "withdraw", "f_expression", account=account.pk)
    assert Read.objects.get().seen_head == account.head
    assert Entry.objects.get().previous is None


@pytest.mark.parametrize(
    ("strategy", "alias", "statements"),
    [
        ("read_modify_write", "default", ["SELECT", "UPDATE", "INSERT"]),
        ("atomic_only", "default", ["BEGIN", "SELECT", "UPDATE", "INSERT", "COMMIT"]),
        ("row_lock", "default", ["BEGIN", "SELECT", "UPDATE", "INSERT", "COMMIT"]),
        ("f_expression", "default", ["UPDATE", "INSERT"]),
        ("conditional_update", "default", ["UPDATE", "INSERT"]),
        ("version_check", "default", ["SELECT", "UPDATE", "INSERT"]),
    ],
)
def test_the_hot_path_does_no_needless_statement(
    client: Client, open_run: Callable[..., Run], strategy: str, alias: str, statements: list[str]
) -> None:
    account = Account.objects.get(run=open_run())
    with CaptureQueriesContext(connections[alias]) as captured:
        assert post(client, strategy=strategy, account=account.pk).status_code == 200
    assert [query["sql"].split()[0].strip() for query in captured] == statements


def test_warming_up_touches_no_database(client: Client) -> None:
    with CaptureQueriesContext(connections["default"]) as captured:
        assert client.get("/").status_code == 200
    assert not captured.captured_queries


@pytest.mark.parametrize("isolation", ["read-committed", "repeatable-read", "serializable"])
def test_the_isolation_level_asked_for_is_the_one_that_is_used(
    client: Client, open_run: Callable[..., Run], isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from racelab_bank.databases.postgresql import ALIASES

    levels: list[str] = []

    def look(bank: Bank) -> None:
        with connections[bank.alias].cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            levels.append(cursor.fetchone()[0])

    monkeypatch.setattr(Bank, "wait_window", look)
    account = Account.objects.get(run=open_run())
    post(client, strategy="atomic_only", account=account.pk, isolation=isolation)
    assert levels == [isolation.replace("-", " ")]
    assert isolation in ALIASES


def test_a_body_over_the_limit_is_a_wrong_request(client: Client) -> None:
    response = client.post("/bank/deposit/atomic_only/", {"account": "1" * 70_000})
    assert response.status_code == 400
    body = "a" * 70_000
    response = client.post("/bank/deposit/atomic_only/", body, content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["outcome"]) == (400, "invalid")


def test_retries_are_counted_also_when_they_end_in_a_conflict(
    client: Client, open_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"scenario": "deposit", "strategy": "version_check"}
    before = REGISTRY.get_sample_value("racelab_bank_retries_total", labels) or 0
    monkeypatch.setattr(Bank, "write_versioned", lambda *_: None)
    monkeypatch.setattr("racelab_bank.ledger.time.sleep", lambda _: None)
    response = post(client, strategy="version_check", account=Account.objects.get(run=open_run()).pk)
    assert response.status_code == 409
    assert REGISTRY.get_sample_value("racelab_bank_retries_total", labels) == before + 49
