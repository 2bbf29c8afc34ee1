"""What each scenario does with the money, over HTTP: forms, openings, and what it refuses."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.test import Client

from racelab_bank.audit.report import AuditReport
from racelab_bank.auditor import runs
from racelab_bank.models import Account, Entry, Read, Run
from racelab_bank.scenarios import Scenario, scenarios
from racelab_bank.strategies import serving, strategies

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

OpenRun = Callable[..., Run]
Audited = Callable[[Run], AuditReport]


def post(client: Client, scenario: str, strategy: str, **fields: Any) -> Any:
    form = {"amount": 30, "operation": "1", **{name.rstrip("_"): value for name, value in fields.items()}}
    return client.post(f"/bank/{scenario}/{strategy}/", form)


def accounts_of(run: Run) -> list[Account]:
    return list(Account.objects.filter(run=run).order_by("pk"))


def balances(run: Run) -> list[int]:
    return [account.balance_cents for account in accounts_of(run)]


TRANSFERRING = [name for name in serving(scenarios()["transfer"]) if name not in {"append_only", "serializable_retry"}]


@pytest.mark.parametrize("strategy", TRANSFERRING)
@pytest.mark.parametrize("reverse", [False, True], ids=["to the higher id", "to the lower id"])
def test_a_transfer_moves_money_and_conserves_the_total(
    client: Client, open_run: OpenRun, audit_ledger: Audited, strategy: str, reverse: bool
) -> None:
    run = open_run(scenario="transfer", strategy=strategy, accounts=2)
    source, destination = sorted(accounts_of(run), key=lambda account: account.pk, reverse=reverse)
    answer = post(client, "transfer", strategy, from_=source.pk, to=destination.pk)
    assert answer.status_code == 200, answer.content
    assert balances(run) == ([130, 70] if reverse else [70, 130])
    legs = Entry.objects.order_by("leg")
    assert [(leg.account_id, leg.leg_count) for leg in legs] == [(account.pk, 2) for account in accounts_of(run)]
    assert len({leg.key for leg in legs}) == 1
    if answer.json()["balance_before_cents"] is not None:
        assert (answer.json()["balance_before_cents"], answer.json()["balance_after_cents"]) == (100, 70)
    assert audit_ledger(run).drift_cents == 0


@pytest.mark.parametrize("strategy", TRANSFERRING)
@pytest.mark.parametrize("reverse", [False, True], ids=["to the higher id", "to the lower id"])
def test_a_refused_transfer_leaves_nothing_on_either_account(
    client: Client, open_run: OpenRun, audit_ledger: Audited, strategy: str, reverse: bool
) -> None:
    run = open_run(scenario="transfer", strategy=strategy, accounts=2)
    source, destination = sorted(accounts_of(run), key=lambda account: account.pk, reverse=reverse)
    answer = post(client, "transfer", strategy, from_=source.pk, to=destination.pk, amount=101)
    assert (answer.status_code, answer.json()["outcome"]) == (422, "refused")
    assert balances(run) == [100, 100]
    assert not Entry.objects.exists()
    assert not any(audit_ledger(run).anomalies.values())


@pytest.mark.parametrize("strategy", TRANSFERRING)
def test_a_transfer_to_nobody_moves_nothing(client: Client, open_run: OpenRun, strategy: str) -> None:
    run = open_run(scenario="transfer", strategy=strategy, accounts=2)
    answer = post(client, "transfer", strategy, from_=accounts_of(run)[0].pk, to=2**40)
    assert (answer.status_code, answer.json()["outcome"]) == (404, "unknown")
    assert balances(run) == [100, 100]


@pytest.mark.parametrize("strategy", serving(scenarios()["redeem"]))
def test_a_code_is_not_used_up_on_an_item_that_is_not_there(client: Client, open_run: OpenRun, strategy: str) -> None:
    here, there = (open_run(scenario="redeem", strategy=strategy, price_cents=500) for _ in range(2))
    code, foreign = accounts_of(here)[0], accounts_of(there)[1]
    isolation = next(iter(strategies()[strategy].claims))
    for item, status in ((2**40, 404), (foreign.pk, 422)):
        answer = post(client, "redeem", strategy, code=code.pk, item=item, isolation=isolation)
        assert answer.status_code == status, answer.content
    assert balances(here) == [1, 500]
    assert balances(there) == [1, 500]
    assert not Entry.objects.exists()


@pytest.mark.parametrize("strategy", serving(scenarios()["transfer"]))
def test_money_does_not_leave_its_run(client: Client, open_run: OpenRun, strategy: str) -> None:
    here, there = (open_run(scenario="transfer", strategy=strategy, accounts=2) for _ in range(2))
    answer = post(client, "transfer", strategy, from_=accounts_of(here)[0].pk, to=accounts_of(there)[0].pk)
    assert (answer.status_code, answer.json()["outcome"]) == (422, "refused")
    assert "different runs" in answer.json()["reason"]
    assert balances(here) == balances(there) == [100, 100]


@pytest.mark.parametrize(
    ("scenario", "first", "second"),
    [("transfer", "from_", "to"), ("redeem", "code", "item"), ("joint", "account", "other")],
)
def test_one_account_twice_is_a_wrong_field(client: Client, scenario: str, first: str, second: str) -> None:
    strategy = serving(scenarios()[scenario])[-1]
    answer = post(client, scenario, strategy, **{first: 7, second: 7})
    assert answer.status_code == 400
    assert (answer.json()["field"], answer.json()["value"]) == (second, "7")
    assert "account" in answer.json()["reason"]


def test_a_code_is_redeemed_once_and_lowers_the_price_once(client: Client, open_run: OpenRun) -> None:
    run = open_run(scenario="redeem", strategy="conditional_update", price_cents=500)
    code, item = accounts_of(run)
    assert [(one.kind, one.balance_cents) for one in (code, item)] == [("code", 1), ("item", 500)]
    answers = [post(client, "redeem", "conditional_update", code=code.pk, item=item.pk) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 422]
    assert balances(run) == [0, 470]


@pytest.mark.parametrize("strategy", ["select_then_insert", "get_or_create_unique"])
def test_a_redemption_that_is_inserted_counts_once(client: Client, open_run: OpenRun, strategy: str) -> None:
    run = open_run(scenario="redeem", strategy=strategy, price_cents=500)
    code, item = accounts_of(run)
    answers = [post(client, "redeem", strategy, code=code.pk, item=item.pk) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 422]
    assert [(one.owner, one.balance_cents) for one in accounts_of(run)] == [(None, 1), (None, 470), (code.pk, 30)]


def test_joint_accounts_back_each_other(client: Client, open_run: OpenRun, audit_ledger: Audited) -> None:
    run = open_run(scenario="joint", strategy="joint_lock")
    first, second = accounts_of(run)
    assert first.owner == second.owner == 1
    fields = {"account": first.pk, "other": second.pk, "amount": 150}
    assert [post(client, "joint", "joint_lock", **fields).status_code for _ in range(2)] == [200, 422]
    assert balances(run) == [-50, 100]
    assert not any(audit_ledger(run).anomalies.values())
    assert set(Read.objects.values_list("account_id", flat=True)) == {first.pk, second.pk}


@pytest.mark.parametrize("strategy", serving(scenarios()["open"]))
def test_the_first_deposit_opens_the_account_and_the_second_finds_it(
    client: Client, open_run: OpenRun, audit_ledger: Audited, strategy: str
) -> None:
    run = open_run(scenario="open", strategy=strategy, accounts=3)
    assert accounts_of(run) == []
    for owner in (2, 2, 3):
        assert post(client, "open", strategy, run=run.key, owner=owner).status_code == 200
    assert [(one.owner, one.balance_cents) for one in accounts_of(run)] == [(2, 60), (3, 30)]
    report = audit_ledger(run)
    assert (report.drift_cents, report.entries, report.anomalies["duplicate"]) == (0, 3, 0)


def test_without_a_constraint_get_or_create_is_lost_once_there_are_duplicates(
    client: Client, open_run: OpenRun, audit_ledger: Audited
) -> None:
    run = open_run(scenario="open", strategy="get_or_create")
    for _ in range(2):
        Account.objects.create(run=run, owner=1, opening_cents=0, balance_cents=0)
    answer = post(client, "open", "get_or_create", run=run.key, owner=1)
    assert (answer.status_code, answer.json()["outcome"]) == (422, "refused")
    assert "several accounts" in answer.json()["reason"]


def test_nobody_opens_an_account_in_a_run_that_is_closed(client: Client, open_run: OpenRun) -> None:
    run = open_run(scenario="open", strategy="select_then_insert")
    runs.close_run(run)
    for strategy in serving(scenarios()["open"]):
        answer = post(client, "open", strategy, run=run.key, owner=1)
        assert (answer.status_code, answer.json()["outcome"]) == (410, "closed"), answer.content
    assert not Account.objects.filter(run=run).exists()


@pytest.mark.parametrize("key", ["no-such-run", "a b"])
def test_opening_in_a_run_that_does_not_exist_says_so(client: Client, key: str) -> None:
    answer = post(client, "open", "get_or_create", run=key, owner=1)
    assert answer.status_code == (404 if key == "no-such-run" else 400)
    assert key in answer.json()["reason"]


def test_append_only_keeps_no_balance_and_needs_an_account_that_keeps_none(
    client: Client, open_run: OpenRun, audit_ledger: Audited
) -> None:
    run = open_run(scenario="withdraw", strategy="append_only")
    (account,) = accounts_of(run)
    answers = [post(client, "withdraw", "append_only", account=account.pk, amount=60) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 422]
    assert answers[0].json()["balance_after_cents"] == 40
    assert balances(run) == [100]
    report = audit_ledger(run)
    assert (report.ledger_total_cents, report.balance_cents, report.drift_cents) == (40, 40, 0)
    assert not any(report.anomalies.values())
    kept = accounts_of(open_run(scenario="withdraw", strategy="row_lock"))[0]
    assert "keeps a balance" in post(client, "withdraw", "append_only", account=kept.pk).json()["reason"]
    assert post(client, "withdraw", "row_lock", account=account.pk).status_code == 422


def test_append_only_appends_nothing_to_a_closed_run(client: Client, open_run: OpenRun) -> None:
    run = open_run(scenario="deposit", strategy="append_only")
    runs.close_run(run)
    assert post(client, "deposit", "append_only", account=accounts_of(run)[0].pk).status_code == 410
    assert not Entry.objects.exists()


@pytest.mark.parametrize("scenario", scenarios())
def test_a_strategy_that_does_not_serve_a_scenario_is_refused_with_those_that_do(client: Client, scenario: str) -> None:
    works = serving(scenarios()[scenario])
    for strategy in strategies().keys() - set(works):
        answer = post(client, scenario, strategy)
        assert answer.status_code == 404
        assert answer.json()["reason"].endswith(f"allowed {', '.join(works)}")


WRONG_TERMS: list[tuple[Mapping[str, Any], str]] = [
    ({"scenario": "open", "strategy": "row_lock"}, "strategy: given 'row_lock', which does not serve open, allowed"),
    (
        {"scenario": "redeem", "strategy": "row_lock"},
        "price_cents: given None, allowed for redeem: the price of each item",
    ),
    ({"scenario": "deposit", "price_cents": 5}, "price_cents: given 5, allowed for deposit: nothing"),
]


@pytest.mark.parametrize(("asked", "reason"), WRONG_TERMS)
def test_a_run_that_makes_no_sense_is_not_opened(open_run: OpenRun, asked: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(runs.UnknownName) as refused:
        open_run(**asked)
    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize("scenario", scenarios().values(), ids=scenarios())
def test_a_run_opens_the_accounts_of_each_target_one_after_the_other(open_run: OpenRun, scenario: Scenario) -> None:
    price = None if scenario.price_cents is None else 500
    strategy = serving(scenario)[0]
    run = open_run(scenario=scenario.name, strategy=strategy, accounts=3, price_cents=price)
    per_target = {"redeem": 2, "joint": 2, "open": 0}.get(scenario.name, 1)
    description = runs.describe(run)
    assert description["targets"] == 3
    assert len(description["accounts"]) == 3 * per_target
    kinds = [account.kind for account in accounts_of(run)]
    assert kinds == kinds[:per_target] * 3
