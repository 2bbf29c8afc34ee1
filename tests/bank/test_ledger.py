"""What the database itself guarantees: append-only, closed runs, version order, and the constraints of an account."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError
from django.test import Client

from racelab_bank.auditor import runs
from racelab_bank.databases.postgresql import is_run_closed
from racelab_bank.models import Account, Entry, Install, Run

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def deposit(client: Client, account: Account, strategy: str = "atomic_only") -> None:
    answer = client.post(f"/bank/deposit/{strategy}/", {"account": account.pk, "amount": 10, "operation": str(uuid4())})
    assert answer.status_code == 200


@pytest.mark.parametrize("model", [Entry, Install])
def test_entries_and_installs_can_be_neither_changed_nor_removed(
    client: Client, open_run: Callable[..., Run], model: type[Entry | Install]
) -> None:
    deposit(client, Account.objects.get(run=open_run()))
    with pytest.raises(DatabaseError, match="append-only"):
        model.objects.update(account=1)
    with pytest.raises(DatabaseError, match="append-only"):
        model.objects.all().delete()


def test_the_trigger_records_every_balance_in_version_order(client: Client, open_run: Callable[..., Run]) -> None:
    account = Account.objects.get(run=open_run())
    deposit(client, account)
    deposit(client, account, "f_expression")
    first, second = Install.objects.order_by("sequence")
    assert (first.old_head, first.old_balance_cents, first.new_balance_cents) == (account.head, 100, 110)
    assert (second.old_head, second.old_balance_cents, second.new_balance_cents) == (first.new_head, 110, 120)
    assert set(Entry.objects.values_list("key", flat=True)) == {first.new_head, second.new_head}


def test_an_update_behind_the_applications_back_is_recorded_too(open_run: Callable[..., Run]) -> None:
    account = Account.objects.get(run=open_run())
    Account.objects.filter(pk=account.pk).update(balance_cents=7)
    assert Install.objects.get().new_balance_cents == 7


def test_an_account_created_with_money_in_it_has_a_first_install(open_run: Callable[..., Run]) -> None:
    account = Account.objects.create(run=open_run(), opening_cents=0, balance_cents=50)
    install = Install.objects.get()
    assert (install.account_id, install.old_head, install.new_balance_cents) == (account.pk, None, 50)


def test_a_closed_account_refuses_every_update_with_our_own_code(open_run: Callable[..., Run]) -> None:
    run = open_run()
    runs.close_run(run)
    with pytest.raises(DatabaseError) as refused:
        Account.objects.filter(run=run).update(balance_cents=1)
    assert is_run_closed(refused.value)


def test_the_floor_of_a_checked_account_is_kept_by_the_database_and_of_others_not(open_run: Callable[..., Run]) -> None:
    account = Account.objects.get(run=open_run())
    Account.objects.filter(pk=account.pk).update(balance_cents=-1)
    Account.objects.filter(pk=account.pk).update(balance_cents=0, checked=True)
    with pytest.raises(IntegrityError, match="checked_floor"):
        Account.objects.filter(pk=account.pk).update(balance_cents=-1)


def test_an_owner_has_one_account_where_that_is_asked_for(open_run: Callable[..., Run]) -> None:
    run = open_run()
    for _ in range(2):
        Account.objects.create(run=run, owner=7, opening_cents=0, balance_cents=0)
    Account.objects.create(run=run, owner=8, opening_cents=0, balance_cents=0, unique_owner=True)
    with pytest.raises(IntegrityError, match="one_account_per_owner"):
        Account.objects.create(run=run, owner=8, opening_cents=0, balance_cents=0, unique_owner=True)
