"""Everything that was recorded, as JSON lines: `manage.py export_history > history.jsonl`."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from shop.ledger import Entry, Install  # yours
from shop.models import Wallet  # yours

BALANCE = "balance"  # yours: the column
UNITS = 100  # yours: cents in one of a balance; 1 where a balance is an integer already
MINIMUM = Decimal(0)  # yours: the lowest balance that is allowed, or None

NONE = {"reads": 0, "operations": 0, "generators": 0}  # kinds that are not recorded here


def cents(amount: Decimal | int | None) -> int | None:
    """Return an amount in whole minor units. Nothing is rounded."""
    if amount is None:
        return None
    units = amount * UNITS
    if units != int(units):
        raise CommandError(f"{amount} × UNITS ({UNITS}) is not a whole number: make UNITS larger")
    return int(units)


def text(head: object) -> str | None:
    """Return an id as it is written."""
    return None if head is None else str(head)


def microseconds(time: datetime) -> int:
    """Return the Unix time in microseconds."""
    return round(time.timestamp() * 1_000_000)


def accounts() -> Iterator[dict[str, Any]]:
    """Tell every balance. Its opening is what its first install has replaced."""
    first = Install.objects.order_by("account", "sequence").distinct("account")
    openings = dict(first.values_list("account", "old_balance"))
    for pk, amount, head in Wallet.objects.values_list("pk", BALANCE, "head").iterator():  # yours
        yield {
            "kind": "account",
            "id": pk,
            "opening_cents": cents(openings.get(pk, amount)),
            "balance_cents": cents(amount),
            "minimum_cents": cents(MINIMUM),
            "head": text(head),
        }


def entries() -> Iterator[dict[str, Any]]:
    """Tell every entry of an account that is still there."""
    for entry in Entry.objects.filter(account__in=Wallet.objects.values("pk")).iterator():  # yours
        yield {
            "kind": "entry",
            "id": text(entry.head),
            "leg": entry.leg,
            "leg_count": entry.leg_count,
            "account": entry.account,
            "operation": entry.operation,
            "amount_cents": cents(entry.amount),
            "balance_before_cents": cents(entry.balance_before),
            "previous": text(entry.previous),
            "replica": entry.host,
            "read_at_microseconds": None if entry.previous is None else microseconds(entry.read_at),
            "written_at_microseconds": microseconds(entry.written_at),
        }


def installs() -> Iterator[dict[str, Any]]:
    """Tell every install of an account that is still there."""
    for install in Install.objects.filter(account__in=Wallet.objects.values("pk")).iterator():  # yours
        yield {
            "kind": "install",
            "sequence": install.sequence,
            "account": install.account,
            "old_head": text(install.old_head),
            "new_head": text(install.new_head),
            "old_balance_cents": cents(install.old_balance),
            "new_balance_cents": cents(install.new_balance),
        }


class Command(BaseCommand):
    """Streams one snapshot: rows of every table as they were at one moment, however long it takes."""

    help = "Write the recorded history as JSON lines to standard output."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Write the first line, all rows, and how many there were."""
        counts: Counter[str] = Counter()
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self.write({"kind": "history", "version": 1, "run": "shop", "generators": 0})  # yours: a name
            for kind, rows in (("accounts", accounts()), ("entries", entries()), ("installs", installs())):
                for row in rows:
                    self.write(row)
                    counts[kind] += 1
        self.write({"kind": "end", "accounts": 0, "entries": 0, "installs": 0, **NONE, **counts})

    def write(self, row: dict[str, Any]) -> None:
        """Write one line."""
        self.stdout.write(json.dumps(row))
