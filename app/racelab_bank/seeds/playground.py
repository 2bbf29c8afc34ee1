"""The standing run `playground`, and who is on it: accounts by their id, items and codes by their number."""

from typing import TYPE_CHECKING

from racelab_bank.errors import UnknownAccount
from racelab_bank.form import PLAYGROUND
from racelab_bank.models import Account, Run

if TYPE_CHECKING:
    from django.db.models.query import QuerySet


def run() -> Run:
    """Return the run."""
    return Run.objects.get(key=PLAYGROUND)


def accounts() -> "QuerySet[Account]":
    """Return its accounts of every kind."""
    return Account.objects.filter(run__key=PLAYGROUND)


def money_account(account: int) -> int:
    """Return the id of an account that holds money. Raises `UnknownAccount`: other runs are not for playing."""
    if not accounts().filter(pk=account, kind=Account.Kind.MONEY).exists():
        raise UnknownAccount(f"there is no account {account} here")
    return account


def numbered(kind: Account.Kind, number: int) -> int:
    """Return the account id of item or code `number`, counted from 1 in order of ids. Raises `UnknownAccount`."""
    found = accounts().filter(kind=kind).order_by("pk").values_list("pk", flat=True)[number - 1 : number].first()
    if found is None:
        raise UnknownAccount(f"there is no {kind} {number} here")
    return found


def account_of_owner(owner: int) -> int:
    """Return the account id of an owner, whose account is opened when missing: one per owner, whoever else comes."""
    account, _ = Account.objects.get_or_create(
        run=run(),
        kind=Account.Kind.MONEY,
        owner=owner,
        unique_owner=True,
        defaults={"opening_cents": 0, "balance_cents": 0},
    )
    return account.pk
