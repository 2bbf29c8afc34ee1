"""What is recorded of a table with balances. Copy this file into your app; it needs nothing but Django."""

import socket
import uuid
from functools import partial

from django.db import models
from django.utils import timezone

_Amount = partial(models.DecimalField, max_digits=30, decimal_places=10)


class Recorded(models.Model):
    """The table: `head` is the id of the entry that wrote the balance, all zeros before the first one."""

    head = models.UUIDField(db_default=uuid.UUID(int=0), editable=False)

    class Meta:
        """Your model has the table."""

        abstract = True


class Entry(models.Model):
    """One change of one balance. Your code makes it before the change and saves it after it.

    `head` is its id. `previous` and `balance_before` are what your code has read; null where the database adds.
    There is no foreign key to the account: to check one, PostgreSQL locks the row, and changes the race.
    """

    sequence = models.BigAutoField(primary_key=True)
    head = models.UUIDField(default=uuid.uuid4)
    leg = models.PositiveSmallIntegerField(default=0)
    leg_count = models.PositiveSmallIntegerField(default=1)
    account = models.BigIntegerField()
    operation = models.CharField(max_length=100, blank=True)
    amount = _Amount()
    balance_before = _Amount(null=True)
    previous = models.UUIDField(null=True)
    host = models.CharField(max_length=255, default=socket.gethostname)
    read_at = models.DateTimeField(default=timezone.now)
    written_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The table's name, which the migration knows."""

        db_table = "recorded_entry"


class Install(models.Model):
    """One balance that replaced another one. A trigger writes it, in the order in which it happened."""

    sequence = models.BigAutoField(primary_key=True)
    account = models.BigIntegerField()
    old_head = models.UUIDField(null=True)
    new_head = models.UUIDField()
    old_balance = _Amount()
    new_balance = _Amount()

    class Meta:
        """The table's name, which the trigger knows."""

        db_table = "recorded_install"
