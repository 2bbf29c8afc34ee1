"""The auditor's control API on real PostgreSQL."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from bank.auditor_api import BODY, Api
from racelab_bank.ledger import Bank
from racelab_bank.models import Account, Operation, Run
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import strategies

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.urls("racelab_bank.auditor.urls"),
]


@pytest.fixture
def api(client: Client) -> Api:
    return Api(client)


def apply(account: int, operation: str, strategy: str = "atomic_only") -> str:
    bank = Bank("default", operation, strategy, lambda: None)
    return str(bank.apply(strategies()[strategy], scenarios()["deposit"].post(account, 10)).entry)


def line(operation: str, account: int, **changes: Any) -> dict[str, Any]:
    return {
        "operation": operation,
        "type": "ok",
        "account": account,
        "amount_cents": 10,
        "status": 200,
        "outcome": "applied",
        "entry": str(uuid4()),
        "replica": "bank-0",
        "begin_microseconds": 1_000,
        "end_microseconds": 5_000,
        "error": None,
        **changes,
    }


def ndjson(*lines: dict[str, Any], end: int | None = None) -> bytes:
    last = {"end": len(lines) if end is None else end, "started_at_microseconds": 1_000}
    last |= {"start_skew_microseconds": 40, "connections": 1}
    return b"".join(json.dumps(one).encode() + b"\n" for one in (*lines, last))


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic test-token"}])
def test_without_the_token_nothing_is_told(client: Client, headers: dict[str, str]) -> None:
    assert client.get("/api/runs", headers=headers).status_code == 401


def test_a_run_opens_with_fresh_accounts_and_opening_it_again_is_harmless(api: Api) -> None:
    first, again = api.put("runs/a", BODY), api.put("runs/a", BODY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(first.json()["accounts"]) == 2
    assert first.json()["gate"] == {
        "state": "waiting", "registered": [], "start_at_microseconds": None, "reason": None
    }  # fmt: skip
    other = api.put("runs/b", BODY)
    assert not set(first.json()["accounts"]) & set(other.json()["accounts"])
    assert {run["key"] for run in api.get("runs").json()} >= {"a", "b"}


def test_opening_a_run_again_with_another_body_says_what_differs(api: Api) -> None:
    api.put("runs/a", BODY)
    response = api.put("runs/a", BODY | {"accounts": 3})
    assert response.status_code == 409
    assert "accounts is 2, given 3" in response.json()["detail"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"strategy": "hope"}, "hope"),
        ({"accounts": 0}, "accounts"),
        ({"accounts": "2"}, "accounts"),
        ({"generators": 1_001}, "generators"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_run_is_refused_with_the_fields_name(api: Api, change: dict[str, Any], told: str) -> None:
    response = api.put("runs/a", BODY | change)
    assert response.status_code == 422
    assert told in response.content.decode()
    assert not Run.objects.filter(key="a").exists()


def test_a_run_that_does_not_exist_is_404(api: Api) -> None:
    for response in (api.get("runs/none"), api.get("runs/none/audit"), api.post("runs/none/close")):
        assert response.status_code == 404
        assert "none" in response.json()["detail"]


def test_a_history_is_stored_whole_and_storing_it_again_changes_nothing(api: Api) -> None:
    account = api.put("runs/a", BODY).json()["accounts"][0]
    history = ndjson(line("0", account), line("1", account, type="info", status=None, outcome=None, entry=None))
    for _ in range(2):
        response = api.put("runs/a/histories/0", history, "application/x-ndjson")
        assert (response.status_code, response.json()) == (200, {"operations": 2})
    assert [(one.key, one.type) for one in Operation.objects.order_by("sequence")] == [("0", "ok"), ("1", "info")]
    assert api.get("runs/a").json()["histories"] == {"0": {"state": "complete", "reason": None}}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "line 1: the history breaks off"),
        (ndjson(line("0", 1)).splitlines(keepends=True)[0], "line 2: the history breaks off"),
        (ndjson(line("0", 1))[:50], "line 1: "),
        (ndjson(line("0", 1), end=2), "the end line says 2 operations, there are 1"),
        (ndjson(line("0", 1), line("1", 1, type="maybe")), "line 2: "),
        (ndjson(line("0", 1, end_microseconds=-1)), "line 1: "),
        (ndjson(line("0", 1)) + b"{}\n", "line 3: there is more after the end line"),
        (b"\xff\xfe\n", "line 1: "),
        (ndjson(line("a\0b", 1)), "cannot be stored"),
        (b'"' + b"x" * 20_000, "line 1: longer than"),
    ],
)
def test_a_history_that_is_truncated_or_wrong_is_refused_with_its_line_and_nothing_is_stored(
    api: Api, body: bytes, told: str
) -> None:
    api.put("runs/a", BODY)
    response = api.put("runs/a/histories/0", body, "application/x-ndjson")
    assert response.status_code == 400
    assert told in response.json()["detail"]
    assert not Operation.objects.exists()
    assert api.get("runs/a").json()["histories"] == {}


def test_a_lost_history_is_named_until_it_arrives_all_the_same(api: Api) -> None:
    api.put("runs/a", BODY)
    assert api.post("runs/a/histories/1/lost", {"reason": "OOMKilled"}).status_code == 204
    assert api.get("runs/a").json()["histories"] == {"1": {"state": "lost", "reason": "OOMKilled"}}
    api.put("runs/a/histories/1", ndjson(), "application/x-ndjson")
    assert api.get("runs/a").json()["histories"] == {"1": {"state": "complete", "reason": None}}
    api.post("runs/a/histories/1/lost", {"reason": "too late"})
    assert api.get("runs/a").json()["histories"]["1"]["state"] == "complete"


def test_an_agreeing_history_and_ledger_are_consistent(api: Api) -> None:
    accounts = api.put("runs/a", BODY | {"generators": 1}).json()["accounts"]
    lines = [line(str(index), account, entry=apply(account, str(index))) for index, account in enumerate(accounts)]
    api.put("runs/a/histories/0", ndjson(*lines), "application/x-ndjson")
    live = api.get("runs/a/audit").json()
    assert (live["final"], live["entries"], live["drift_cents"]) == (False, 2, 0)
    api.post("runs/a/close")
    final = api.get("runs/a/audit").json()
    assert (final["final"], final["outcome"], final["drift_cents"]) == (True, "Consistent", 0)
    assert final["operations"] == {"ok": 2, "fail": 0, "info": 0}
    assert final["start_skew_microseconds"] == 40
    assert final["latency_milliseconds"] == {"p50": 4.0, "p99": 4.0}
    assert (final["opening_cents"], final["ledger_total_cents"], final["balance_cents"]) == (2000, 2020, 2020)
    assert api.get("runs/a/audit").json() == final


def test_a_missing_history_makes_a_clean_ledger_unknown(api: Api) -> None:
    api.put("runs/a", BODY)
    api.post("runs/a/histories/0/lost", {"reason": "killed"})
    api.put("runs/a/histories/1", ndjson(), "application/x-ndjson")
    api.post("runs/a/close")
    final = api.get("runs/a/audit").json()
    assert (final["final"], final["outcome"]) == (True, "Unknown")
    assert "killed" in final["reason"]


def test_a_lost_update_is_found_live_and_finally_and_is_told_in_a_sentence(api: Api) -> None:
    account = api.put("runs/a", BODY | {"accounts": 1, "generators": 1}).json()["accounts"][0]
    stale = Account.objects.get(pk=account)
    entries = [apply(account, "first")]
    bank = Bank("default", "second", "read_modify_write", lambda: None)
    posting = scenarios()["deposit"].post(account, 10)
    entries.append(str(bank.write_absolute(posting, {account: stale}).entry))
    lines = [line(key, account, entry=entry) for key, entry in zip(("first", "second"), entries, strict=True)]
    api.put("runs/a/histories/0", ndjson(*lines), "application/x-ndjson")
    live = api.get("runs/a/audit").json()
    assert (live["outcome"], live["lost"], live["drift_cents"]) == ("Anomalous", 1, -10)
    api.post("runs/a/close")
    final = api.get("runs/a/audit").json()
    assert (final["outcome"], final["lost"], final["culprits"], final["drift_cents"]) == ("Anomalous", 1, 1, -10)
    listed = api.get("runs/a/anomalies?limit=1").json()
    assert (listed["count"], len(listed["anomalies"])) == (2, 1)
    assert "first" in listed["anomalies"][0]["sentence"]


def test_the_live_audit_reads_each_row_once_and_goes_on_where_it_was(api: Api) -> None:
    account = api.put("runs/a", BODY | {"accounts": 1}).json()["accounts"][0]
    for number in range(5):
        apply(account, str(number), "f_expression" if number % 2 else "row_lock")
        assert api.get("runs/a/audit").json()["entries"] == number + 1
    assert api.get("runs/a/audit").json()["ledger_total_cents"] == 1000 * 1 + 50


def test_a_transaction_that_is_still_open_holds_the_final_audit_back(api: Api) -> None:
    from django.db import connections

    api.put("runs/a", BODY | {"generators": 1})
    api.put("runs/a/histories/0", ndjson(), "application/x-ndjson")
    other = connections["repeatable_read"]
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")
        api.post("runs/a/close")
        assert api.get("runs/a/audit").json()["final"] is False
    finally:
        other.rollback()
        other.set_autocommit(True)
    assert api.get("runs/a/audit").json()["final"] is True


def test_an_install_without_its_entry_is_awaited_and_then_called_torn(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from racelab_bank.auditor import auditing

    account = api.put("runs/a", BODY | {"accounts": 1, "generators": 1}).json()["accounts"][0]
    api.put("runs/a/histories/0", ndjson(), "application/x-ndjson")
    Account.objects.filter(pk=account).update(balance_cents=1, head=uuid4())
    api.post("runs/a/close")
    assert api.get("runs/a/audit").json()["final"] is False
    monkeypatch.setattr(auditing, "PATIENCE_SECONDS", 0.0)
    final = api.get("runs/a/audit").json()
    assert (final["final"], final["anomalies"]["torn_write"]) == (True, 1)


def test_the_playground_never_ends(api: Api, open_run: Callable[..., Run]) -> None:
    run = open_run()
    Run.objects.filter(pk=run.pk).update(key="playground", generators=0)
    assert api.post("runs/playground/close").status_code == 409
    report = api.get("runs/playground/audit").json()
    assert (report["outcome"], report["reason"]) == ("Consistent", "no history: the ledger alone was judged")


def test_the_open_endpoints_answer_without_a_token(client: Client) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/readyz").status_code in {200, 503}  # the test database has another name


def test_a_migrated_database_is_left_alone() -> None:
    from racelab_bank.auditor.migration import migrate_if_needed, missing

    assert missing() is None
    assert migrate_if_needed() is False


def test_tables_that_are_gone_are_made_again() -> None:
    from racelab_bank.auditor.migration import migrate_if_needed, missing

    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    assert missing() is not None
    assert migrate_if_needed() is True
    assert Account.objects.get(pk=1).run.key == "playground"
