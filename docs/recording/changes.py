"""How your own code records its changes. The lines about `entry` and `head` are what you add."""

from decimal import Decimal

from django.db import transaction
from django.db.models import F
from shop.ledger import Entry
from shop.models import Wallet


def naive(pk: int, amount: Decimal, operation: str) -> None:
    """Read, add in Python, save: `previous` and `balance_before` come from the row that was read."""
    with transaction.atomic():
        wallet = Wallet.objects.get(pk=pk)
        entry = Entry(account=pk, operation=operation, amount=amount)
        entry.previous, entry.balance_before = wallet.head, wallet.balance
        wallet.balance += amount
        wallet.head = entry.head
        wallet.save()
        entry.save()


def locked(pk: int, amount: Decimal, operation: str) -> None:
    """Lock the row first: recorded in the same way."""
    with transaction.atomic():
        wallet = Wallet.objects.select_for_update().get(pk=pk)
        entry = Entry(account=pk, operation=operation, amount=amount)
        entry.previous, entry.balance_before = wallet.head, wallet.balance
        wallet.balance += amount
        wallet.head = entry.head
        wallet.save()
        entry.save()


def added_by_the_database(pk: int, amount: Decimal, operation: str) -> bool:
    """Let the database add: nothing was read, both stay null. Where no row was changed, there is no entry."""
    entry = Entry(account=pk, operation=operation, amount=amount)
    with transaction.atomic():
        enough = Wallet.objects.filter(pk=pk, balance__gte=-amount)
        changed = enough.update(balance=F("balance") + amount, head=entry.head)
        if changed:
            entry.save()
    return bool(changed)


def transfer(source: int, target: int, amount: Decimal, operation: str) -> None:
    """Change two balances: one id, one leg for each of them."""
    with transaction.atomic():
        wallets = Wallet.objects.select_for_update().order_by("pk").in_bulk([source, target])
        out = Entry(account=source, operation=operation, amount=-amount, leg=0, leg_count=2)
        into = Entry(account=target, operation=operation, amount=amount, leg=1, leg_count=2, head=out.head)
        for entry in (out, into):
            wallet = wallets[entry.account]
            entry.previous, entry.balance_before = wallet.head, wallet.balance
            wallet.balance += entry.amount
            wallet.head = entry.head
            wallet.save()
            entry.save()


def opened(amount: Decimal, operation: str) -> Wallet:
    """Create an account with money in it: there was nothing before."""
    with transaction.atomic():
        entry = Entry(operation=operation, amount=amount)
        wallet = Wallet.objects.create(balance=amount, head=entry.head)
        entry.account = wallet.pk
        entry.save()
    return wallet
