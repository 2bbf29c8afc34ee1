"""The recipe with other names and another type, and how it is taken out again."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from histories.shop import Project, recorded
from racelab_operator.platforms.local.postgresql import PostgreSQL

BANK = """\
from django.db import models


class Purse(models.Model):
    credit = models.BigIntegerField(default=0)
"""

ROWS = """
from bank.models import Purse
Purse.objects.bulk_create([Purse(credit=500), Purse(credit=70)])
"""

YOURS = {"shop": "bank", "Wallet": "Purse", "wallet": "purse", "balance": "credit", "100": "1"}

CHANGE = """
from django.db import transaction
from bank.ledger import Entry
from bank.models import Purse
for pk, amount in ((1, 25), (2, -7), (1, -30)):
    with transaction.atomic():
        purse = Purse.objects.select_for_update().get(pk=pk)
        entry = Entry(account=pk, amount=amount)
        entry.previous, entry.balance_before = purse.head, purse.credit
        purse.credit += amount
        purse.head = entry.head
        purse.save()
        entry.save()
"""

#: What the recipe has made in the database, by name.
MADE = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relname LIKE 'recorded%' UNION ALL "
        "SELECT attname FROM pg_attribute WHERE attname = 'head' AND NOT attisdropped UNION ALL "
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal UNION ALL "
        "SELECT proname FROM pg_proc WHERE proname = 'record_install'"
    )
    print([name for (name,) in cursor.fetchall()])
"""

BALANCES = "from bank.models import Purse\nprint(list(Purse.objects.order_by('pk').values_list('pk', 'credit')))"


@pytest.fixture(scope="module")
def adopted(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("bank"), postgresql.url, "bank", BANK)
    project.python(ROWS)
    project.adopt(recorded(BANK, "bank"), YOURS)
    yield project
    project.drop()


@pytest.fixture
def bank(adopted: Project, tmp_path: Path) -> Iterator[Project]:
    project = adopted.copy(tmp_path)
    yield project
    project.drop()


def test_only_the_marked_lines_need_other_names(bank: Project) -> None:
    assert bank.manage("makemigrations", "--check", "--dry-run") == "No changes detected\n"
    bank.python(CHANGE)
    exported = bank.export("bank.jsonl")
    assert (len(exported.chain(1)), len(exported.chain(2))) == (2, 1)
    assert [row["amount_cents"] for row in exported.of("entry")] == [25, -7, -30]
    assert [(row["opening_cents"], row["balance_cents"]) for row in exported.of("account")] == [(70, 63), (500, 495)]


def test_an_account_that_is_gone_takes_its_rows_out_of_the_file(bank: Project) -> None:
    bank.python(f"{CHANGE}\nPurse.objects.filter(pk=1).delete()")
    exported = bank.export("bank.jsonl")
    assert {row.get("account", 2) for row in exported.rows} == {2}
    assert len(exported.chain(2)) == 1


def test_rows_that_are_truncated_make_what_is_there_the_opening(bank: Project) -> None:
    bank.python(CHANGE)
    bank.python(
        "from django.db import connection\nconnection.cursor().execute('TRUNCATE recorded_entry, recorded_install')"
    )
    bank.python(CHANGE)
    exported = bank.export("bank.jsonl")
    assert exported.account(1)["opening_cents"] == 495
    assert len(exported.chain(1)) == 2
    assert exported.verified()[1]["outcome"] == "Consistent"


def test_code_that_knows_nothing_of_it_goes_on_meanwhile(bank: Project) -> None:
    bank.write("bank/models.py", BANK)
    bank.python(
        "from bank.models import Purse\nPurse.objects.create(credit=3)\nPurse.objects.filter(pk=1).update(credit=2)"
    )
    assert bank.python(BALANCES) == "[(1, 2), (2, 70), (3, 3)]\n"


def test_going_back_takes_everything_out(bank: Project) -> None:
    bank.python(CHANGE)
    made = ["head", "record_install", "record_creation", "recorded_entry", "recorded_install"]
    assert set(made) <= set(ast.literal_eval(bank.python(MADE)))
    bank.write("bank/models.py", BANK)
    bank.manage("migrate", "bank", "0001")
    assert bank.python(MADE) == "[]\n"
    assert bank.python(BALANCES) == "[(1, 495), (2, 63)]\n"


@pytest.mark.parametrize("careless", ["old.head = new.head", "old.credit = new.credit"])
def test_a_head_that_does_not_belong_to_the_balance_is_unknown(bank: Project, careless: str) -> None:
    bank.python(
        f"from bank.models import Purse\nold = Purse.objects.get(pk=1)\n{CHANGE}\nnew = Purse.objects.get(pk=1)\n"
        f"{careless}\nentry = Entry(account=1, amount=1, previous=old.head, balance_before=old.credit)\n"
        "Purse.objects.filter(pk=1).update(credit=old.credit + 1, head=entry.head)\nentry.save()"
    )
    code, verdict = bank.export("bank.jsonl").verified()
    assert (code, verdict["outcome"]) == (3, "Unknown"), verdict


def test_a_later_migration_can_take_it_out_too(bank: Project) -> None:
    bank.python(CHANGE)
    bank.write("bank/models.py", BANK)
    for name in ("ledger.py", "management/commands/export_history.py"):
        (bank.directory / "bank" / name).unlink()
    bank.manage("makemigrations", "bank")
    bank.manage("migrate", "bank")
    assert bank.python(MADE) == "['record_install']\n"
    assert bank.python(BALANCES) == "[(1, 495), (2, 63)]\n"


def test_amounts_that_are_smaller_than_the_unit_are_refused(bank: Project) -> None:
    bank.python(
        "from decimal import Decimal\nfrom bank.ledger import Entry\n"
        "Entry.objects.create(account=1, amount=Decimal('0.5'))"
    )
    told = bank.python(
        "from django.core.management import CommandError, call_command\nimport io\n"
        "try:\n    call_command('export_history', stdout=io.StringIO())\n"
        "except CommandError as error:\n    print(error)"
    )
    assert told == "0.5000000000 × UNITS (1) is not a whole number: make UNITS larger\n"
