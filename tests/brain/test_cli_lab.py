"""Looking at a lab that runs: `racelab drift` and `racelab codes new`, against a small real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from brain.samples import anomalous, audit
from racelab_operator.cli import main

if TYPE_CHECKING:
    from brain.fake_auditor import FakeAuditor
    from racelab_operator.observed import Audit

pytestmark = pytest.mark.usefixtures("running")

EXACT = (200, {"run": "playground", "duplicates": 0, "reasons": []})
MISLEADING = (200, {"run": "playground", "duplicates": 47, "reasons": ["amounts differ: …", "deposits mix: …"]})
NO_ACCOUNTS = (200, {"count": 0, "accounts": []})


def account(number: int, drift_cents: int, **more: object) -> dict[str, object]:
    whose = {"kind": "money", "owner": None, "user": None}
    sums = {"ledger_total_cents": 0, "balance_cents": drift_cents, "drift_cents": drift_cents, "entries": 10, "lost": 6}
    return {"account": number, **whose, **sums, **more}


CODES = [
    {"code": 2, "code_account": 9, "item": 1, "item_account": 2},
    {"code": 10, "code_account": 1200, "item": 11, "item_account": 1201},
]


def answer(value: Audit) -> tuple[int, object]:
    return 200, json.loads(value.model_dump_json())


def test_drift_tells_what_was_lost_and_beside_it_the_balances_that_were_recorded_twice(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"lost_update": 187, "hidden_overdraft": 1, "write_skew": 0, "duplicate": 2}
    server.answers = [answer(anomalous(anomalies=found)), MISLEADING, NO_ACCOUNTS]
    assert main(["drift", "--run", "k"]) == 0
    asked = [path for _, path, _, _ in server.asked]
    assert asked == ["/api/runs/k/audit", "/api/runs/k/duplicate-balances", "/api/runs/k/accounts?limit=10"]
    assert capsys.readouterr().out.splitlines() == [
        "run           sample-uid12-0",
        "opening         1,000.00",
        "ledger total    1,300.00",
        "balance         1,113.00",
        "drift            −187.00",
        "lost          187 of 300",
        "duplicates            47  balances recorded twice",
        "  misleads: amounts differ: …",
        "  misleads: deposits mix: …",
        "also found    1 hidden overdraft, 2 duplicates",
    ]


def test_drift_adds_nothing_where_the_count_is_exact_and_nothing_else_was_found(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [answer(audit()), EXACT, NO_ACCOUNTS]
    assert main(["drift"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["duplicates", "0", "balances", "recorded", "twice"]


def test_drift_says_which_accounts_it_is_on_where_there_are_several(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = [account(1, -60_000), account(4, 2_400, user="ada"), account(7, 0, owner=3), account(3, 0, kind="code")]
    server.answers = [answer(anomalous()), EXACT, (200, {"count": 12, "accounts": listed})]
    assert main(["drift"]) == 0
    assert capsys.readouterr().out.splitlines()[-6:] == [
        "                    balance    drift     lost",
        "account 1           −600.00  −600.00  6 of 10",
        "account 4, ada        24.00    24.00  6 of 10",
        "account 7, owner 3     0.00     0.00  6 of 10",
        "account 3, code           0        0  6 of 10",
        "and 8 more",
    ]


def test_drift_tells_who_was_lost_to_whom_where_that_is_asked_for(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"count": 6, "anomalies": [{"kind": "lost_update", "sentence": "operation 17 was lost"}]}
    server.answers = [answer(anomalous()), EXACT, NO_ACCOUNTS, (200, found)]
    assert main(["drift", "--anomalies", "1"]) == 0
    assert server.asked[-1][1] == "/api/runs/playground/anomalies?limit=1"
    assert capsys.readouterr().out.splitlines()[-1] == "operation 17 was lost"


def test_drift_as_json_holds_both_counts_and_why_one_misleads(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [answer(anomalous()), MISLEADING, NO_ACCOUNTS]
    assert main(["drift", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["lost"], value["drift_cents"], value["anomalies"]) == (187, -18_700, {"lost_update": 187})
    assert value["duplicate_balances"] == 47
    assert value["duplicate_balances_mislead"] == ["amounts differ: …", "deposits mix: …"]


def test_a_run_that_is_not_there_is_wrong_use_and_the_closest_is_named(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [(404, {"detail": "no"}), (200, [{"key": "playground", "state": "open", "generators": 0}])]
    assert main(["drift", "--run", "playgruond"]) == 2
    assert "there is no run playgruond: did you mean playground?" in capsys.readouterr().err


def test_new_codes_are_told_by_their_numbers_and_by_their_accounts(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [(201, {"codes": CODES})]
    assert main(["codes", "new", "--count", "2"]) == 0
    assert [(path, body) for _, path, _, body in server.asked] == [("/api/codes", {"count": 2})]
    assert capsys.readouterr().out.splitlines() == [
        "on /demo/NAME/   on /bank/redeem/STRATEGY/",
        "item=1&code=2    item=2&code=9",
        "item=11&code=10  item=1201&code=1200",
    ]


def test_new_codes_as_json_are_what_the_auditor_answered(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [(201, {"codes": CODES[:1]})]
    assert main(["codes", "new", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"codes": CODES[:1]}
    assert server.asked[0][3] == {"count": 1}
