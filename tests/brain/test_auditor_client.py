"""The client of the auditor's API, against a small real HTTP server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from brain.fake_auditor import FakeAuditor
from brain.samples import audit, experiment
from racelab_operator.auditor import ATTEMPTS, Auditor, AuditorError, AuditorUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

STEP = experiment(load={"requests": 10, "accounts": 2, "generators": 2}).steps[0]
RUN: dict[str, Any] = {
    "key": "k", "state": "open", "scenario": "deposit", "strategy": "atomic_only", "isolation": "read-committed",
    "opening_cents": 0, "minimum_cents": 0, "price_cents": None, "generators": 2, "labels": {}, "targets": 2,
    "accounts": [17, 18],
    "gate": {"state": "waiting", "registered": [0], "start_at_microseconds": None, "reason": None},
    "histories": {"1": {"state": "lost", "reason": "OOMKilled"}},
}  # fmt: skip


@pytest.fixture
def auditor(server: FakeAuditor) -> Iterator[Auditor]:
    with Auditor(server.url, "secret", sleep=lambda _seconds: None) as auditor:
        yield auditor


def test_a_run_is_opened_as_the_contract_says(server: FakeAuditor, auditor: Auditor) -> None:
    server.answers = [(201, RUN)]
    run = auditor.open_run(STEP, "k", {"experiment": "sample"})
    assert (run.targets, run.accounts) == (2, (17, 18))
    assert run.histories[1].reason == "OOMKilled"
    [(method, path, token, body)] = server.asked
    assert (method, path, token) == ("PUT", "/api/runs/k", "Bearer secret")
    assert body == {
        "scenario": "deposit", "strategy": "atomic_only", "isolation": "read-committed", "accounts": 2,
        "opening_cents": 100_000, "minimum_cents": 0, "price_cents": None, "generators": 2,
        "labels": {"experiment": "sample"},
    }  # fmt: skip


def test_a_run_of_codes_is_opened_with_its_price_and_without_balances(server: FakeAuditor, auditor: Auditor) -> None:
    server.answers = [(201, RUN)]
    load = {"requests": 10, "accounts": 5, "priceCents": 2_000}
    auditor.open_run(experiment(scenario="redeem", load=load).steps[0], "k", {})
    body = server.asked[0][3]
    fields = ("accounts", "opening_cents", "minimum_cents", "price_cents")
    assert {name: body[name] for name in fields} == dict(zip(fields, (5, 0, 0, 2_000), strict=True))


def test_users_and_codes_are_made_and_balances_counted_as_the_contract_says(
    server: FakeAuditor, auditor: Auditor
) -> None:
    code = {"code": 2, "code_account": 9, "item": 1, "item_account": 2}
    server.answers = [
        (201, {"name": "ann+x@y", "superuser": False, "account": 7}),
        (200, {"name": "root", "superuser": True, "account": None}),
        (201, {"codes": [code, code]}),
        (200, {"run": "k", "duplicates": 47, "reasons": ["amounts differ"]}),
    ]
    assert auditor.put_user("ann+x@y", "secret", superuser=False).account == 7
    assert auditor.put_user("root", "other", superuser=True).account is None
    assert [made.model_dump() for made in auditor.new_codes(2)] == [code, code]
    counted = auditor.duplicate_balances("k")
    assert (counted.duplicates, counted.reasons) == (47, ("amounts differ",))
    assert [(method, path, body) for method, path, _, body in server.asked] == [
        ("PUT", "/api/users/ann%2Bx%40y", {"password": "secret", "superuser": False}),
        ("PUT", "/api/users/root", {"password": "other", "superuser": True}),
        ("POST", "/api/codes", {"count": 2}),
        ("GET", "/api/runs/k/duplicate-balances", None),
    ]


def test_every_other_call_goes_where_the_contract_says(server: FakeAuditor, auditor: Auditor) -> None:
    server.answers = [(200, RUN), (200, [RUN]), (200, json.loads(audit().model_dump_json())), (204, None), (200, RUN)]
    assert auditor.run("k") == auditor.runs()[0]
    assert auditor.audit("k") == audit()
    auditor.report_lost("k", 1, "x" * 3000)
    auditor.close_run("k")
    assert [(method, path) for method, path, _, _ in server.asked] == [
        ("GET", "/api/runs/k"),
        ("GET", "/api/runs"),
        ("GET", "/api/runs/k/audit"),
        ("POST", "/api/runs/k/histories/1/lost"),
        ("POST", "/api/runs/k/close"),
    ]
    assert server.asked[3][3] == {"reason": "x" * 2000}


def test_a_run_that_is_not_there_is_none(server: FakeAuditor, auditor: Auditor) -> None:
    server.answers = [(404, {"detail": "there is no run k"})]
    assert auditor.run("k") is None
    assert auditor.audit("k") is None


def test_a_refusal_is_told_in_the_auditors_words_and_not_repeated(server: FakeAuditor, auditor: Auditor) -> None:
    server.answers = [(409, {"detail": "run k was opened with other accounts"})]
    with pytest.raises(AuditorError, match="refused PUT /api/runs/k: run k was opened with other accounts"):
        auditor.open_run(STEP, "k", {})
    assert len(server.asked) == 1


def test_a_broken_answer_is_told_with_its_place(server: FakeAuditor, auditor: Auditor) -> None:
    server.answers = [(200, RUN | {"state": "ajar"})]
    with pytest.raises(AuditorError, match="no answer of the contract: state"):
        auditor.run("k")


def test_a_server_error_is_asked_again_and_then_told_as_unreachable(server: FakeAuditor, auditor: Auditor) -> None:
    server.answers = [(503, {"detail": "no database"}), (200, RUN)]
    assert auditor.run("k") is not None
    server.answers, server.asked = [(503, {"detail": "no database"})], []
    with pytest.raises(AuditorUnreachableError, match="503 no database"):
        auditor.run("k")
    assert len(server.asked) == ATTEMPTS


def test_a_closed_port_is_tried_a_bounded_number_of_times() -> None:
    pauses: list[float] = []
    with FakeAuditor() as closed:
        url = closed.url
    with Auditor(url, "secret", sleep=pauses.append) as auditor, pytest.raises(AuditorUnreachableError):
        auditor.runs()
    assert len(pauses) == ATTEMPTS - 1
