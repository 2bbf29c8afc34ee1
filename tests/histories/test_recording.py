"""The recipe of docs/histories.md, followed in somebody else's Django project on a real PostgreSQL."""

from collections import Counter
from collections.abc import Iterator

import pytest

from histories.shop import RECORDING, SHOP, Exported, Project, recorded
from racelab_operator.platforms.local.postgresql import PostgreSQL

ROWS = """
from shop.models import Wallet
for name, balance in (("a", 100), ("b", 50), ("c", 0), ("d", 20), ("e", 7)):
    Wallet.objects.create(name=name, balance=balance)
"""

#: Two threads with connections of their own. Both have read before the first of them saves; the second saves last.
OVERLAPPING = """
import threading
from decimal import Decimal
from django.db import connections
from shop.changes import added_by_the_database, locked, naive, opened, transfer
from shop.models import Wallet

both_have_read, first_has_committed = threading.Barrier(2), threading.Event()
save = Wallet.save

def save_in_turn(self, *arguments, **options):
    both_have_read.wait(20)
    if threading.current_thread().name == "second":
        assert first_has_committed.wait(20)
    save(self, *arguments, **options)

def change(act, *arguments):
    try:
        act(*arguments)
        changed.append(arguments[-1])
    finally:
        first_has_committed.set()
        connections.close_all()

changed = []

def together(first, second):
    named = (("first", first), ("second", second))
    threads = [threading.Thread(target=change, args=one, name=name) for name, one in named]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert sorted(changed) == sorted((first[-1], second[-1])), changed
    changed.clear()
"""

CORRECT = f"""
{OVERLAPPING}
together((locked, 2, Decimal("1.50"), "l1"), (locked, 2, Decimal("2.25"), "l2"))
together((added_by_the_database, 2, Decimal(10), "f1"), (added_by_the_database, 2, Decimal("-0.01"), "f2"))
together((transfer, 2, 3, Decimal(5), "t1"), (transfer, 3, 2, Decimal(-1), "t2"))
assert not added_by_the_database(3, Decimal(-1000), "refused")
assert opened(Decimal("5.05"), "opened").pk == 6
opened(Decimal(0), "with nothing")
"""

LOST = f"""
{OVERLAPPING}
Wallet.save = save_in_turn
together((naive, 1, Decimal(10), "n1"), (naive, 1, Decimal(50), "n2"))
"""

#: What the recipe's code does not go through.
BYPASSED = """
from decimal import Decimal
from django.db.models import F
from shop.changes import added_by_the_database
from shop.models import Wallet
stale = Wallet.objects.get(pk=4)
added_by_the_database(4, Decimal(3), "erased")
stale.name = "only the name is meant"
stale.save()
Wallet.objects.filter(pk=5).update(balance=F("balance") + 1)
"""


@pytest.fixture(scope="module")
def project(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("shop"), postgresql.url)
    project.python(ROWS)
    project.adopt(recorded(SHOP))
    project.write("shop/changes.py", (RECORDING / "changes.py").read_text(encoding="utf-8"))
    yield project
    project.drop()


@pytest.fixture(scope="module")
def untouched(project: Project) -> Exported:
    return project.export("untouched.jsonl")


@pytest.fixture(scope="module")
def correct(project: Project, untouched: Exported) -> Exported:
    project.python(CORRECT)
    return project.export("correct.jsonl")


@pytest.fixture(scope="module")
def lost(project: Project, correct: Exported) -> Exported:
    project.python(LOST)
    return project.export("lost.jsonl")


@pytest.fixture(scope="module")
def bypassed(project: Project, lost: Exported) -> Exported:
    project.python(BYPASSED)
    return project.export("bypassed.jsonl")


def test_the_models_are_what_the_migration_makes(project: Project) -> None:
    assert project.manage("makemigrations", "--check", "--dry-run") == "No changes detected\n"
    assert project.manage("check") == "System check identified no issues (0 silenced).\n"


def test_balances_that_were_there_are_the_opening(untouched: Exported) -> None:
    assert [row["kind"] for row in untouched.rows] == ["history", *["account"] * 5, "end"]
    opening = {row["id"]: (row["opening_cents"], row["balance_cents"]) for row in untouched.of("account")}
    assert opening == {1: (10000, 10000), 2: (5000, 5000), 3: (0, 0), 4: (2000, 2000), 5: (700, 700)}


def test_a_file_begins_with_what_it_is_and_ends_with_what_it_holds(lost: Exported) -> None:
    first, *rows, last = lost.rows
    assert first == {"kind": "history", "version": 1, "run": "shop", "generators": 0}
    counted = Counter(row["kind"] for row in rows)
    assert counted == {"account": 7, "entry": 12, "install": 12}
    none = {"reads": 0, "operations": 0, "generators": 0}
    assert last == {"kind": "end", "accounts": 7, "entries": 12, "installs": 12, **none}


def test_correct_writes_are_one_unbroken_chain(correct: Exported) -> None:
    assert len(correct.chain(2)) == 6
    assert (correct.account(2)["opening_cents"], correct.account(2)["balance_cents"]) == (5000, 5774)
    assert len(correct.chain(3)) == 2
    assert (correct.account(3)["opening_cents"], correct.account(3)["balance_cents"]) == (0, 600)
    assert not correct.stale()


def test_what_the_database_added_says_nothing_of_a_read(correct: Exported) -> None:
    added = [row for row in correct.of("entry") if row["operation"] in {"f1", "f2"}]
    assert [(row["previous"], row["balance_before_cents"], row["read_at_microseconds"]) for row in added] == [
        (None, None, None)
    ] * 2


def test_what_was_refused_has_left_nothing(correct: Exported) -> None:
    assert "refused" not in {row["operation"] for row in correct.of("entry")}


def test_a_transfer_is_one_id_with_two_legs(correct: Exported) -> None:
    legs = [row for row in correct.of("entry") if row["operation"] == "t1"]
    assert [(row["leg"], row["leg_count"], row["account"], row["amount_cents"]) for row in legs] == [
        (0, 2, 2, -500),
        (1, 2, 3, 500),
    ]
    assert legs[0]["id"] == legs[1]["id"]


def test_a_new_account_replaces_nothing(correct: Exported) -> None:
    (install,) = correct.installs(6)
    assert (install["old_head"], install["old_balance_cents"], install["new_balance_cents"]) == (None, 0, 505)
    assert (correct.account(6)["opening_cents"], correct.account(6)["balance_cents"]) == (0, 505)
    assert correct.entry(install["new_head"], 6)
    (nothing,) = correct.installs(7)
    assert (nothing["old_head"], nothing["new_balance_cents"]) == (None, 0)


def test_only_the_second_of_two_overlapping_saves_had_read_another_head(lost: Exported) -> None:
    first, second = lost.installs(1)
    one, two = (lost.entry(head, 1) for head in lost.chain(1))
    assert one is not None
    assert two is not None
    assert (one["operation"], two["operation"]) == ("n1", "n2")
    assert one["previous"] == two["previous"] == first["old_head"]
    assert one["balance_before_cents"] == two["balance_before_cents"] == 10000
    assert (second["old_balance_cents"], second["new_balance_cents"]) == (11000, 15000)
    assert lost.stale() == ["n2"]
    assert 0 < one["read_at_microseconds"] <= one["written_at_microseconds"] <= two["written_at_microseconds"]


def test_saving_another_field_puts_an_old_head_back(bypassed: Exported) -> None:
    added, put_back = bypassed.installs(4)
    assert bypassed.chain(4) == [added["new_head"], added["old_head"]]
    assert put_back["new_balance_cents"] == bypassed.account(4)["opening_cents"]
    assert bypassed.entry(put_back["new_head"], 4) is None


def test_a_change_that_nobody_recorded_is_an_install_without_an_entry(bypassed: Exported) -> None:
    (install,) = bypassed.installs(5)
    assert install["old_head"] == install["new_head"]
    assert (install["old_balance_cents"], install["new_balance_cents"]) == (700, 800)


def test_racelab_finds_nothing_wrong_with_correct_writes(untouched: Exported, correct: Exported) -> None:
    for exported in (untouched, correct):
        code, verdict = exported.verified()
        assert (code, verdict["outcome"]) == (0, "Consistent"), verdict
        assert not any(verdict["anomalies"].values())


def test_racelab_finds_the_lost_update(lost: Exported) -> None:
    code, verdict = lost.verified()
    assert (code, verdict["outcome"]) == (1, "Anomalous"), verdict
    assert (verdict["lost"], verdict["drift_cents"]) == (1, -1000)
    assert {kind: count for kind, count in verdict["anomalies"].items() if count} == {"lost_update": 1}


def test_racelab_finds_what_went_another_way(bypassed: Exported) -> None:
    code, verdict = bypassed.verified()
    assert (code, verdict["outcome"]) == (1, "Anomalous"), verdict
    assert {kind: count for kind, count in verdict["anomalies"].items() if count} == {"lost_update": 2, "torn_write": 2}


#: Another connection commits while the export is at its third line.
MEANWHILE = """
import io, sys, threading
from decimal import Decimal
from django.core.management import call_command
from django.db import connection, connections
from shop.changes import locked

class Meddling(io.StringIO):
    def write(self, text):
        count = super().write(text)
        if self.getvalue().count("\\n") == 3 and not changed:
            changed.append(thread)
            thread.start()
            thread.join(20)
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_cursors WHERE NOT is_holdable")
                assert cursor.fetchone() == (1,), "rows are streamed by the server"
        return count

def change():
    locked(1, Decimal(1), "meanwhile")
    connections.close_all()

changed, thread, out = [], threading.Thread(target=change), Meddling()
call_command("export_history", stdout=out)
assert changed and not thread.is_alive()
sys.stdout.write(out.getvalue())
"""


def test_an_export_is_one_moment_and_keeps_nobody_waiting(project: Project, bypassed: Exported) -> None:
    exported = project.exported("meanwhile.jsonl", project.python(MEANWHILE))
    assert exported.rows == bypassed.rows
    assert "meanwhile" in {row["operation"] for row in project.export("later.jsonl").of("entry")}
