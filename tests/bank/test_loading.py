"""A run is loaded as it stands in PostgreSQL: by streamed binary rows, compared with what plain queries return."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client

from racelab_bank.audit.rows import Account as AccountRow
from racelab_bank.audit.rows import Entry as EntryRow
from racelab_bank.audit.rows import Install as InstallRow
from racelab_bank.audit.rows import Operation as OperationRow
from racelab_bank.auditor import loading, rows
from racelab_bank.databases import streaming
from racelab_bank.models import Account, Entry, Generator, Install, Operation, Read, Run

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

OpenRun = Callable[..., Run]

# What a text may be: longer than its neighbours, not ASCII, ending in spaces, looking like what parts texts.
TEXTS = ("a", "ключ ✓ é", "x" * 100, "ends with a space ", "tab\tand\x1funit", "0", "'; DROP TABLE entry; --")


def entry(run: Run, number: int, text: str, **columns: Any) -> Entry:
    account = Account.objects.filter(run=run).order_by("pk").first()
    assert account is not None
    values = {
        "key": uuid4(),
        "leg": 0,
        "leg_count": 1,
        "account": account,
        "operation": text,
        "amount_cents": -number,
        "balance_before_cents": number if number % 2 else None,
        "balance_after_cents": 0 if number % 2 else None,
        "previous": uuid4() if number % 2 else None,
        "replica": text[:50],
        "worker": str(number),
        "strategy": "",
        "read_at_microseconds": None if number % 3 else number,
        "written_at_microseconds": 2**60 + number,
    } | columns
    made = Entry(**values)
    made.save()
    return made


def as_row(one: Entry) -> EntryRow:
    stored = Entry.objects.get(pk=one.pk)
    return EntryRow(
        stored.key, stored.leg, stored.leg_count, stored.account_id, stored.operation, stored.amount_cents,
        stored.balance_before_cents, stored.balance_after_cents, stored.previous, stored.strategy, stored.replica,
        stored.worker, int(stored.transaction), stored.read_at_microseconds, stored.written_at_microseconds,
    )  # fmt: skip


@pytest.mark.parametrize("block_bytes", [1, 1_000, streaming._BLOCK_BYTES])
def test_entries_of_every_sort_come_as_they_are(
    open_run: OpenRun, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(streaming, "_BLOCK_BYTES", block_bytes)
    run, other = open_run(), open_run()
    entry(other, 1, "of another run")
    made = [entry(run, number, text) for number, text in enumerate(TEXTS)]
    with rows.snapshot():
        history = rows.history(run)
    assert list(history.entries) == [as_row(one) for one in made]


def test_a_run_without_rows_is_loaded_empty(open_run: OpenRun) -> None:
    run = open_run(scenario="open", strategy="get_or_create")
    with rows.snapshot():
        history = rows.history(run)
    assert [len(one) for one in (history.accounts, history.entries, history.installs, history.operations)] == [0] * 4


def test_accounts_and_installs_come_as_they_are(open_run: OpenRun) -> None:
    run = open_run(scenario="joint", strategy="joint_lock", accounts=2)
    Account.objects.create(run=run, owner=None, opening_cents=5, balance_cents=2**62, minimum_cents=-(2**62))
    Account.objects.create(run=run, owner=7, opening_cents=5, balance_cents=5, derived=True)
    Account.objects.filter(run=run, owner=1).update(balance_cents=-3, head=uuid4())
    with rows.snapshot():
        history = rows.history(run)
    stored = list(Account.objects.filter(run=run).order_by("pk"))
    assert list(history.accounts) == [
        AccountRow(one.pk, one.opening_cents, one.balance_cents, one.minimum_cents, one.head, one.owner, one.derived)
        for one in stored
    ]
    assert list(history.installs) == [
        InstallRow(
            one.sequence, one.account_id, one.old_head, one.new_head, one.old_balance_cents, one.new_balance_cents,
            int(one.transaction),
        )
        for one in Install.objects.filter(account__run=run).order_by("sequence")
    ]  # fmt: skip
    assert {install.old_head is None for install in history.installs} == {True, False}


def test_operations_of_every_sort_come_as_they_are(open_run: OpenRun) -> None:
    run = open_run(generators=2)
    for number, text in enumerate(TEXTS):
        known = number % 2 == 0
        Operation.objects.create(
            run=run, generator=number % 2, key=text, type=("ok", "fail", "info")[number % 3],
            account=number if known else None, amount_cents=number, status=200 + number if known else None,
            outcome="applied" if known else None, entry=uuid4() if known else None,
            replica=text[:50] if known else None, begin_microseconds=number, end_microseconds=2**61,
            error=None if known else text * 10,
        )  # fmt: skip
    Generator.objects.filter(run=run, index=0).update(history="complete")
    Generator.objects.filter(run=run, index=1).update(history="lost", reason="gone")
    with rows.snapshot():
        history = rows.history(run)
    assert list(history.operations) == [
        OperationRow(
            one.generator, one.key, one.type, one.account, one.amount_cents, one.status, one.outcome, one.entry,  # type: ignore[arg-type]
            one.replica, one.begin_microseconds, one.end_microseconds, one.error,
        )
        for one in Operation.objects.filter(run=run).order_by("sequence")
    ]  # fmt: skip
    assert (history.histories.complete, dict(history.histories.lost)) == (frozenset({0}), {1: "gone"})


def test_reads_come_in_their_order(open_run: OpenRun) -> None:
    run = open_run(accounts=2)
    accounts = list(Account.objects.filter(run=run))
    made = [Read.objects.create(entry=uuid4(), account=accounts[one % 2], seen_head=uuid4()) for one in range(5)]
    with rows.snapshot():
        found = rows.history(run).reads
    assert [(one.entry, one.account, one.seen_head) for one in found] == [
        (one.entry, one.account_id, one.seen_head) for one in made
    ]


def test_two_texts_of_one_hash_are_told_apart_by_another_seed(
    open_run: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run()
    made = [entry(run, number, text) for number, text in enumerate(TEXTS)]
    # A hash that tells nothing apart until its third seed.
    hashed = "CASE WHEN {seed} < 2 THEN 0 ELSE hashtextextended({text}, {seed}) END"
    monkeypatch.setattr(loading, "_HASH", hashed)
    with rows.snapshot():
        found = rows.history(run).entries
    assert [(one.replica, one.worker) for one in found] == [(one.replica, one.worker) for one in made]


def test_texts_that_would_read_the_same_side_by_side_are_told_apart(open_run: OpenRun) -> None:
    run = open_run()
    pairs = [("ab", "c"), ("a", "bc"), ("", "abc"), ("1:a", ""), ("1", "1:a")]
    for number, (replica, worker) in enumerate(pairs):
        entry(run, number, "same", replica=replica, worker=worker)
    with rows.snapshot():
        assert [(one.replica, one.worker) for one in rows.history(run).entries] == pairs


def test_what_the_writers_of_a_derived_account_had_seen_is_counted_from_their_snapshots(
    open_run: OpenRun, client: Client
) -> None:
    run = open_run(strategy="append_only", isolation="serializable")
    account = Account.objects.get(run=run)

    def deposit(name: str) -> None:
        form = {"account": account.pk, "amount": 10, "operation": name, "isolation": "serializable"}
        assert client.post("/bank/deposit/append_only/", form).status_code == 200

    deposit("first")
    deposit("second")
    other = connections["repeatable_read"]
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            # Sees two; what is committed meanwhile it does not.
            cursor.execute("SELECT pg_current_snapshot()::text, pg_current_xact_id()::text")
            snapshot, transaction = cursor.fetchone() or ("", "")
            deposit("third")
            cursor.execute(
                "INSERT INTO entry (id, leg, leg_count, account, operation, amount_cents, balance_before_cents, "
                "balance_after_cents, replica, worker, strategy, snapshot, written_at_microseconds) VALUES "
                "(gen_random_uuid(), 0, 1, %s, 'late', 10, 120, 130, '', '', '', %s, 1)",
                [account.pk, snapshot],
            )
        other.commit()
    finally:
        other.set_autocommit(True)
    deposit("fifth")
    with rows.snapshot():
        history = rows.history(run)
    seen = {one.operation: one.seen_entries for one in history.entries}
    assert seen == {"first": 0, "second": 1, "third": 2, "late": 2, "fifth": 4}
    with connection.cursor() as cursor:
        # PostgreSQL's own word on it, one by one.
        cursor.execute(
            "SELECT e.operation, (SELECT count(*) FROM entry o WHERE o.account = e.account AND o.id <> e.id AND "
            "pg_visible_in_snapshot(o.transaction, e.snapshot)) FROM entry e WHERE e.account = %s",
            [account.pk],
        )
        assert dict(cursor.fetchall()) == seen
    assert transaction


def test_what_the_server_refuses_is_its_own_error(open_run: OpenRun) -> None:
    fields = streaming.number("wrong", "no_such_column")
    connection.ensure_connection()
    with pytest.raises(Exception, match="no_such_column"):
        streaming.columns(connection.connection, fields, "FROM account", {})
    assert Account.objects.exists() is not None  # the connection goes on


def test_rows_that_break_off_or_have_other_widths_are_refused() -> None:
    fields = streaming.number("one")
    record = b"\0\x01" + b"\0\0\0\x08" + bytes(8)
    header = streaming._SIGNATURE + bytes(8)
    (block,) = streaming._blocks([header, record, streaming._TRAILER], fields)
    assert block["one"].tolist() == [0]
    for messages, told in (
        ([header, record], "end in the middle"),
        ([header, record[:-1], streaming._TRAILER], "end in the middle"),
        ([b"PGNOTHING" + bytes(20)], "did not answer with binary rows"),
        ([header, b"\0\x02" + record[2:], streaming._TRAILER], "not of the widths"),
    ):
        with pytest.raises(ValueError, match=told):
            list(streaming._blocks(messages, fields))
