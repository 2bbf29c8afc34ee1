"""The audit of real rows: accounts that appear during a run, that keep no balance, that back each other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.db.models import F
from django.test import Client

from racelab_bank.audit.report import AuditReport
from racelab_bank.auditor import auditing, rows, runs
from racelab_bank.models import Account, Entry, Read, Run

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

OpenRun = Callable[..., Run]
AuditLedger = Callable[[Run], AuditReport]

#: What a live audit and a final one both tell.
SAME = (
    "anomalies",
    "accounts",
    "entries",
    "opening_cents",
    "ledger_total_cents",
    "balance_cents",
    "drift_cents",
    "absolute_drift_cents",
    "lost",
    "culprits",
    "overdrafts",
    "identity_holds",
    "replicas_seen",
    "writers_seen",
)


def record(account: Account, amount: int, *, legs: int = 1, **columns: Any) -> UUID:
    """Insert the first leg of an entry."""
    entry = Entry(
        key=columns.pop("key", None) or uuid4(),
        leg=0,
        leg_count=legs,
        account=account,
        operation=str(uuid4()),
        amount_cents=amount,
        replica="bank-0",
        worker="1",
        strategy="test",
        written_at_microseconds=1,
        **columns,
    )
    entry.save()
    return entry.key


def add(account: Account, amount: int) -> UUID:
    """Let the database add, as one operation."""
    head = uuid4()
    Account.objects.filter(pk=account.pk).update(balance_cents=F("balance_cents") + amount, head=head)
    return record(account, amount, key=head)


def save(account: Account, amount: int) -> None:
    """Write a balance computed from the account as it was read, however long ago that was."""
    before, previous, account.head = account.balance_cents, account.head, uuid4()
    account.balance_cents += amount
    account.save()
    after = account.balance_cents
    record(account, amount, key=account.head, balance_before_cents=before, balance_after_cents=after, previous=previous)


def create(run: Run, owner: int, amount: int) -> Account:
    """Create an owner's account with its first deposit in it, as a request does."""
    account = Account.objects.create(run=run, owner=owner, opening_cents=0, balance_cents=amount)
    record(account, amount, key=account.head)
    return account


def assert_same(run: Run, audit_ledger: AuditLedger) -> dict[str, Any]:
    """Compare the live audit with what a final one would say now, and return it."""
    live = auditing.audit_run(run)
    final = audit_ledger(run).to_json(run.key)
    assert {name: live[name] for name in SAME} == {name: final[name] for name in SAME}
    return live


@contextmanager
def horizon_held() -> Iterator[None]:
    """Keep a transaction open, so that nothing written meanwhile is below the horizon."""
    other = connections["repeatable_read"]
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")
        yield
    finally:
        other.rollback()
        other.set_autocommit(True)


def test_an_account_that_appears_during_a_run_is_followed_from_then_on(
    open_run: OpenRun, audit_ledger: AuditLedger
) -> None:
    run = open_run()
    assert assert_same(run, audit_ledger)["accounts"] == 1
    late = Account.objects.create(run=run, opening_cents=50, balance_cents=50)
    assert assert_same(run, audit_ledger)["opening_cents"] == 150
    add(late, 10)
    add(late, 10)
    live = assert_same(run, audit_ledger)
    assert (live["accounts"], live["entries"], live["balance_cents"]) == (2, 2, 170)


def test_an_account_created_with_money_and_written_again_before_the_next_look_is_followed_from_its_creation(
    open_run: OpenRun, audit_ledger: AuditLedger
) -> None:
    run = open_run()
    assert_same(run, audit_ledger)
    account = create(run, owner=7, amount=30)
    for _ in range(3):
        add(account, 10)
    live = assert_same(run, audit_ledger)
    assert (live["accounts"], live["entries"], live["balance_cents"]) == (2, 4, 160)


def test_an_account_whose_rows_are_not_below_the_horizon_yet_is_followed_from_its_creation(
    open_run: OpenRun, audit_ledger: AuditLedger
) -> None:
    run = open_run()
    with horizon_held():
        created = create(run, owner=7, amount=30)
        opened = Account.objects.create(run=run, opening_cents=50, balance_cents=50)
        add(created, 10)
        add(opened, 10)
        live = auditing.audit_run(run)
        assert (live["accounts"], live["entries"], live["balance_cents"]) == (3, 0, 150)
        for account in (created, opened):
            add(account, 10)
    live = assert_same(run, audit_ledger)
    assert (live["entries"], live["balance_cents"], live["drift_cents"]) == (5, 220, 0)


def test_accounts_that_requests_created_too_many_are_told_live_and_finally(
    open_run: OpenRun, audit_ledger: AuditLedger
) -> None:
    run = open_run()
    assert_same(run, audit_ledger)
    for owner in (7, 7, 8, 7):
        create(run, owner, 30)
    assert assert_same(run, audit_ledger)["anomalies"]["duplicate"] == 2
    create(run, 8, 30)
    live = assert_same(run, audit_ledger)
    assert (live["anomalies"]["duplicate"], live["outcome"]) == (3, "Anomalous")


def test_a_derived_account_holds_what_its_entries_sum_up_to(open_run: OpenRun, audit_ledger: AuditLedger) -> None:
    run = open_run()
    account = Account.objects.create(run=run, opening_cents=50, balance_cents=50, derived=True)
    record(account, -40)
    live = assert_same(run, audit_ledger)
    assert (live["balance_cents"], live["drift_cents"], live["overdrafts"]["visible"]) == (110, 0, 0)
    record(account, -40)
    live = assert_same(run, audit_ledger)
    assert (live["balance_cents"], live["drift_cents"], live["overdrafts"]["visible"]) == (70, 0, 1)


def test_two_accounts_of_an_owner_are_overdrawn_together(open_run: OpenRun, audit_ledger: AuditLedger) -> None:
    run = open_run()
    first, second = (Account.objects.create(run=run, owner=7, opening_cents=50, balance_cents=50) for _ in range(2))
    withdrawn = [add(first, -80)]
    assert assert_same(run, audit_ledger)["overdrafts"] == {"visible": 0, "hidden": 0}
    withdrawn.append(add(second, -80))
    assert assert_same(run, audit_ledger)["overdrafts"] == {"visible": 1, "hidden": 0}
    for entry, seen in zip(withdrawn, (second, first), strict=True):
        Read.objects.create(entry=entry, account=seen, seen_head=seen.head)
    assert audit_ledger(run).anomalies["write_skew"] == 1
    told = [one["sentence"] for one in auditing.anomalies(run, 0, 10)["anomalies"]]
    together = f"owner 7's accounts {first.pk} and {second.pk} hold −0.60 together, below their minimum of 0.00"
    assert (len(told), told[0]) == (2, together)


def test_the_second_leg_is_awaited_and_then_called_a_half_posting(
    open_run: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run()
    record(Account.objects.create(run=run, opening_cents=50, balance_cents=50, derived=True), -40, legs=2)
    runs.close_run(run)
    run.refresh_from_db()
    assert auditing.audit_run(run)["final"] is False
    monkeypatch.setattr(auditing, "PATIENCE_SECONDS", 0.0)
    final = auditing.audit_run(run)
    assert (final["final"], final["anomalies"]["half_posting"]) == (True, 1)


def test_reads_of_another_runs_accounts_are_not_this_runs(open_run: OpenRun) -> None:
    run, other = open_run(), open_run()
    foreign = Account.objects.get(run=other)
    Read.objects.create(entry=uuid4(), account=foreign, seen_head=foreign.head)
    assert list(rows.history(run).reads) == []
    assert [one.account for one in rows.history(other).reads] == [foreign.pk]


def test_equal_amounts_with_recorded_balances_make_duplicate_balances_the_lost_updates(
    open_run: OpenRun, audit_ledger: AuditLedger
) -> None:
    run = open_run()
    stale = [Account.objects.get(run=run) for _ in range(3)]
    for account in stale:
        save(account, 10)
    save(Account.objects.get(run=run), 10)
    assert auditing.duplicate_balances(run) == {"run": run.key, "duplicates": 2, "reasons": []}
    assert audit_ledger(run).lost == 2


def test_a_run_without_entries_has_no_duplicate_balances(open_run: OpenRun) -> None:
    run = open_run()
    assert auditing.duplicate_balances(run) == {"run": run.key, "duplicates": 0, "reasons": []}


def test_balances_of_different_accounts_are_no_duplicates(open_run: OpenRun) -> None:
    run = open_run(accounts=2)
    for account in Account.objects.filter(run=run):
        save(account, 10)
    assert auditing.duplicate_balances(run)["duplicates"] == 0


def differing_amounts(account: Account) -> None:
    for amount in (10, 20):
        save(Account.objects.get(pk=account.pk), amount)


def nothing_at_all(account: Account) -> None:
    save(account, 0)


def computed_by_the_database(account: Account) -> None:
    save(account, 10)
    add(account, 10)


def there_and_back(account: Account) -> None:
    for amount in (10, -10, 10):
        save(account, amount)


def summed_up(account: Account) -> None:
    Account.objects.filter(pk=account.pk).update(derived=True)
    record(account, 10, balance_before_cents=100, balance_after_cents=110)


def put_back(account: Account) -> None:
    late = Account.objects.get(pk=account.pk)
    save(account, 10)
    save(account, 10)
    save(late, 10)


@pytest.mark.parametrize(
    ("write", "duplicates", "told"),
    [
        (differing_amounts, 0, "amounts differ"),
        (nothing_at_all, 0, "amounts differ, or are 0"),
        (computed_by_the_database, 0, "1 entry has no recorded balance"),
        (there_and_back, 1, "deposits and withdrawals mix"),
        (summed_up, 0, "no balance is kept"),
        (put_back, 1, "a late writer put an older balance back"),
    ],
)
def test_what_makes_duplicate_balances_misleading_is_told(
    open_run: OpenRun, write: Callable[[Account], None], duplicates: int, told: str
) -> None:
    run = open_run()
    write(Account.objects.get(run=run))
    answer = auditing.duplicate_balances(run)
    assert answer["duplicates"] == duplicates
    assert [reason for reason in answer["reasons"] if not reason.startswith(told)] == []
    assert len(answer["reasons"]) == 1


def test_the_accounts_of_a_run_are_listed_with_whose_they_are_and_their_drift(
    open_run: Callable[..., Run], client: Client
) -> None:
    run = open_run(scenario="joint", strategy="joint_lock", accounts=2)
    ids = list(Account.objects.filter(run=run).order_by("pk").values_list("pk", flat=True))
    form = {"account": ids[2], "other": ids[3], "amount": 30, "operation": "1"}
    assert client.post("/bank/joint/joint_lock/", form).status_code == 200
    form = {"account": ids[1], "other": ids[0], "amount": 10, "operation": "2"}
    assert client.post("/bank/joint/joint_lock/", form).status_code == 200
    Account.objects.filter(pk=ids[2]).update(balance_cents=75)
    listed = auditing.accounts(run, 1)
    assert (listed["run"], listed["count"]) == (run.key, 2)
    assert listed["accounts"] == [
        {
            "account": ids[2], "kind": "money", "owner": 2, "user": None, "opening_cents": 100,
            "ledger_total_cents": 70, "balance_cents": 75, "drift_cents": 5, "entries": 1, "lost": 0,
        }
    ]  # fmt: skip
