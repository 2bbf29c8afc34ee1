"""The ledger: what accounts say (suspect), what was applied (append-only truth), and in which order it was installed.

docs/ledger.md tells what each table records and who writes it. Amounts are integer cents, times Unix microseconds.
Entries and installs have no foreign key in the database: its row locks would change the races that are observed.
"""

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from racelab_bank.databases import postgresql

if TYPE_CHECKING:
    _TextField = models.Field[Any, Any]  # Django's fields are generic in their stubs only
else:
    _TextField = models.Field


class TransactionIdField(_TextField):
    """A PostgreSQL `xid8`: the writing transaction's 64-bit id, set by the database. psycopg reads it as text."""

    def db_type(self, connection: Any) -> str:  # noqa: ARG002 - the signature is Django's
        """Return the column type."""
        return "xid8"


class SnapshotField(_TextField):
    """A `pg_snapshot`: which transactions a statement could see. psycopg reads it as text."""

    def db_type(self, connection: Any) -> str:  # noqa: ARG002 - the signature is Django's
        """Return the column type."""
        return "pg_snapshot"


class CurrentTransaction(models.Func):
    """`pg_current_xact_id()`, usable as a column's default."""

    function = postgresql.CURRENT_TRANSACTION
    arity = 0
    allowed_default = True


class Run(models.Model):
    """One step's accounts and what was asked of them. Nothing is ever reset: every step opens a new run."""

    class Gate(models.TextChoices):
        """Where the simultaneous start stands."""

        WAITING = "waiting"
        OPEN = "open"
        FAILED = "failed"

    key = models.CharField(max_length=200, unique=True)
    scenario = models.CharField(max_length=50)
    strategy = models.CharField(max_length=50)
    isolation = models.CharField(max_length=20)
    opening_cents = models.BigIntegerField()
    minimum_cents = models.BigIntegerField()
    price_cents = models.BigIntegerField(null=True)
    accounts = models.PositiveIntegerField()
    generators = models.PositiveIntegerField()
    labels = models.JSONField(default=dict)
    opened_at = models.DateTimeField(db_default=Now())
    open_transaction = TransactionIdField(db_default=CurrentTransaction())
    closed_at = models.DateTimeField(null=True)
    close_transaction = TransactionIdField(null=True)
    gate = models.CharField(max_length=10, choices=Gate, default=Gate.WAITING)
    gate_since_microseconds = models.BigIntegerField(null=True)
    gate_start_microseconds = models.BigIntegerField(null=True)
    gate_reason = models.TextField(default="")
    report = models.JSONField(null=True)  # the final audit, once there is one

    class Meta:
        db_table = "run"

    @property
    def identity(self) -> tuple[int, str]:
        """What to remember a run by: a number may be given again once tables were emptied, its transaction never."""
        return self.pk, str(self.open_transaction)


class Generator(models.Model):
    """One load generator of a run: registered at the gate, by which process, and what became of its history."""

    class History(models.TextChoices):
        """Where its history stands."""

        PENDING = "pending"
        COMPLETE = "complete"
        LOST = "lost"

    run = models.ForeignKey(Run, models.CASCADE, related_name="generator_set")
    index = models.PositiveIntegerField()
    registered = models.BooleanField(default=False)
    process = models.CharField(max_length=64, default="")
    history = models.CharField(max_length=10, choices=History, default=History.PENDING)
    reason = models.TextField(default="")
    start_skew_microseconds = models.BigIntegerField(null=True)

    class Meta:
        db_table = "generator"
        constraints = (models.UniqueConstraint(fields=["run", "index"], name="generator_once"),)


class Account(models.Model):
    """A balance, and which entry wrote it. `head` of a fresh account is an opening id that no entry has.

    `derived`: no balance is kept; it is the opening plus the sum of the entries. `user` logs in and withdraws from it.
    """

    class Kind(models.TextChoices):
        """What the number stands for."""

        MONEY = "money"
        ITEM = "item"  # its price
        CODE = "code"  # how often a discount code may still be used
        REDEMPTION = (
            "redemption"  # what a code took off a price, where that is recorded by a row; its owner is the code
        )

    kind = models.CharField(max_length=10, choices=Kind, default=Kind.MONEY, db_default=Kind.MONEY.value)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="account")
    run = models.ForeignKey(Run, models.CASCADE, related_name="account_set")
    owner = models.BigIntegerField(null=True)
    opening_cents = models.BigIntegerField()
    balance_cents = models.BigIntegerField()
    minimum_cents = models.BigIntegerField(default=0)
    version = models.BigIntegerField(default=0, db_default=0)
    head = models.UUIDField(default=uuid.uuid4)
    checked = models.BooleanField(default=False, db_default=False)
    unique_owner = models.BooleanField(default=False, db_default=False)
    derived = models.BooleanField(default=False, db_default=False)
    closed = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "account"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(derived=False) | models.Q(balance_cents=models.F("opening_cents")),
                name="derived_keeps_no_balance",
            ),
            models.CheckConstraint(
                condition=models.Q(checked=False) | models.Q(balance_cents__gte=models.F("minimum_cents")),
                name="checked_floor",
            ),
            models.UniqueConstraint(
                fields=["run", "kind", "owner"], condition=models.Q(unique_owner=True), name="one_account_per_owner"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} account {self.pk}"


class Entry(models.Model):
    """One leg of one applied posting. Append-only.

    `previous` (the head that was read) and `balance_before_cents` are null where the database computed the balance.
    `snapshot` is set where the balance is derived: what its SUM could see.
    """

    sequence = models.BigAutoField(primary_key=True)
    key = models.UUIDField(db_column="id")
    leg = models.PositiveSmallIntegerField()
    leg_count = models.PositiveSmallIntegerField()
    account = models.ForeignKey(Account, models.DO_NOTHING, db_column="account", db_constraint=False)
    operation = models.CharField(max_length=100)
    amount_cents = models.BigIntegerField()
    balance_before_cents = models.BigIntegerField(null=True)
    balance_after_cents = models.BigIntegerField(null=True)
    previous = models.UUIDField(null=True)
    version_before = models.BigIntegerField(null=True)
    transaction = TransactionIdField(db_default=CurrentTransaction())
    replica = models.CharField(max_length=100)
    worker = models.CharField(max_length=50)
    strategy = models.CharField(max_length=50)
    snapshot = SnapshotField(null=True)
    read_at_microseconds = models.BigIntegerField(null=True)
    written_at_microseconds = models.BigIntegerField()

    class Meta:
        db_table = "entry"
        verbose_name = "transaction"  # as the older systems call it, in the admin
        constraints = (models.UniqueConstraint(fields=["key", "leg"], name="entry_leg_once"),)
        indexes = (
            models.Index(fields=["transaction"], name="entry_by_transaction"),
            # Only for entries that are summed: other strategies' entries cost nothing here.
            models.Index(fields=["account"], name="entry_of_derived", condition=models.Q(snapshot__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.operation}, leg {self.leg + 1} of {self.leg_count}"


class Install(models.Model):
    """One balance that was put on an account, in version order. Written by a trigger, never by the application."""

    sequence = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.DO_NOTHING, db_column="account", db_constraint=False)
    old_head = models.UUIDField(null=True)
    new_head = models.UUIDField()
    old_balance_cents = models.BigIntegerField()
    new_balance_cents = models.BigIntegerField()
    transaction = TransactionIdField(db_default=CurrentTransaction())

    class Meta:
        db_table = "install"
        indexes = (models.Index(fields=["transaction"], name="install_by_transaction"),)


class Read(models.Model):
    """What else an operation read: guards, floors that Python checked, other legs."""

    sequence = models.BigAutoField(primary_key=True)
    entry = models.UUIDField()
    account = models.ForeignKey(Account, models.DO_NOTHING, db_column="account", db_constraint=False)
    seen_head = models.UUIDField()
    transaction = TransactionIdField(db_default=CurrentTransaction())

    class Meta:
        db_table = "read"
        indexes = (models.Index(fields=["transaction"], name="read_by_transaction"),)


class Operation(models.Model):
    """One operation as a load generator saw it: what it asked, what it was told, and when."""

    sequence = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, models.CASCADE, db_column="run")
    generator = models.PositiveIntegerField()
    key = models.CharField(max_length=100)
    type = models.CharField(max_length=4)
    account = models.BigIntegerField(null=True)
    amount_cents = models.BigIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    outcome = models.CharField(max_length=20, null=True)
    entry = models.UUIDField(null=True)
    replica = models.CharField(max_length=100, null=True)
    begin_microseconds = models.BigIntegerField()
    end_microseconds = models.BigIntegerField()
    error = models.TextField(null=True)

    class Meta:
        db_table = "operation"
        indexes = (models.Index(fields=["run", "generator"], name="operation_by_generator"),)
