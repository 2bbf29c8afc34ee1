"""The Django admin: edits become entries, and nothing else can be changed."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from racelab_bank.auditor.users import UserRequest, put_user
from racelab_bank.models import Account, Entry, Run
from racelab_bank.seeds.admin_lists import BoundedPaginator
from seeds.playing import Playground, Visitor, windows_stop

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

ACCOUNTS, ENTRIES = "/admin/racelab_bank/account/", "/admin/racelab_bank/entry/"


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def root(playground: Playground) -> Client:
    put_user("root", UserRequest(password="secret", superuser=True))
    return new_session()


def new_session() -> Client:
    client = Client()
    assert client.login(username="root", password="secret")
    return client


def page_of(account: Account) -> str:
    return f"{ACCOUNTS}{account.pk}/change/"


def shown_balance(client: Client, account: Account) -> str:
    """Return the balance that the page shows, which its hidden field repeats."""
    page = client.get(page_of(account)).content.decode()
    balances = [re.search(rf'name="{name}" value="([^"]*)"', page) for name in ("balance", "initial-balance")]
    assert balances[0]
    assert balances[1]
    assert balances[0].group(1) == balances[1].group(1)
    return balances[0].group(1)


def edit(client: Client, account: Account, shown: str, balance: str) -> Any:
    return client.post(page_of(account), {"balance": balance, "initial-balance": shown})


def test_an_edit_becomes_an_entry_of_the_difference(root: Client, playground: Playground) -> None:
    assert shown_balance(root, playground.account) == "0.00"
    assert edit(root, playground.account, "0.00", "12.50").status_code == 302
    assert edit(root, playground.account, shown_balance(root, playground.account), "2.5").status_code == 302
    entries = Entry.objects.order_by("sequence")
    assert [(one.amount_cents, one.strategy, one.operation[:6]) for one in entries] == [
        (1_250, "row_lock", "admin-"),
        (-1_000, "row_lock", "admin-"),
    ]
    assert playground.balance(playground.account) == 250
    assert playground.audit().drift_cents == 0


def test_a_page_that_was_shown_before_others_wrote_adds_its_difference(root: Client, playground: Playground) -> None:
    shown = shown_balance(root, playground.account)
    for balance in ("10", "7"):
        assert edit(new_session(), playground.account, shown, balance).status_code == 302
    assert playground.balance(playground.account) == 1_700
    assert playground.audit().drift_cents == 0


def test_two_edits_at_once_both_count(root: Client, playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    with windows_stop(monkeypatch):
        first = Visitor(lambda: edit(root, playground.account, "0.00", "10")).start()
        second = Visitor(lambda: edit(new_session(), playground.account, "0.00", "7")).start()
        assert [visitor.finish().status_code for visitor in (first, second)] == [302, 302]
    assert playground.balance(playground.account) == 1_700
    assert playground.audit().anomalies["lost_update"] == 0


def test_a_page_that_was_not_changed_writes_nothing(root: Client, playground: Playground) -> None:
    assert edit(root, playground.item, "1000.00", "1000").status_code == 302
    assert not Entry.objects.exists()


@pytest.mark.parametrize("balance", ["", "x", "1.005", "10000000000000"])
def test_a_wrong_balance_is_shown_again_with_what_was_wrong(root: Client, playground: Playground, balance: str) -> None:
    answer = edit(root, playground.account, "0.00", balance)
    assert answer.status_code == 200
    assert b"errorlist" in answer.content
    assert not Entry.objects.exists()


def test_an_edit_without_the_balance_that_was_shown_is_refused(root: Client, playground: Playground) -> None:
    answer = root.post(page_of(playground.account), {"balance": "10"})
    assert b"load the page again" in answer.content
    assert not Entry.objects.exists()


def test_a_code_is_shown_in_uses_and_can_be_made_usable_again(root: Client, playground: Playground) -> None:
    client = Client()
    assert client.post("/demo/atomic_no_delay/", {"item": 1, "code": 1}).status_code == 200
    assert shown_balance(root, playground.code) == "0"
    assert edit(root, playground.code, "0", "1").status_code == 302
    assert playground.balance(playground.code) == 1
    assert client.post("/demo/atomic_no_delay/", {"item": 1, "code": 1}).status_code == 200


def test_nothing_but_the_balance_can_be_edited(root: Client, playground: Playground) -> None:
    forged = {"balance": "0", "initial-balance": "0", "minimum_cents": "-5", "owner": "9", "kind": "item", "user": "1"}
    assert root.post(page_of(playground.account), forged).status_code == 302
    account = Account.objects.get(pk=playground.account.pk)
    assert (account.minimum_cents, account.owner, account.kind, account.user) == (0, None, "money", None)


def test_an_account_is_added_with_its_opening_balance(root: Client, playground: Playground) -> None:
    assert root.get(f"{ACCOUNTS}add/").status_code == 200
    assert root.post(f"{ACCOUNTS}add/", {"balance": "12.50"}).status_code == 302
    account = Account.objects.latest("pk")
    assert (account.run, account.opening_cents, account.balance_cents) == (playground.run, 1_250, 1_250)
    assert account.kind == "money"
    assert not Entry.objects.exists()


def test_an_edit_that_the_database_refuses_is_told_and_changes_nothing(
    root: Client, playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    from racelab_bank.errors import Conflict

    def refuse(*_: Any) -> None:
        raise Conflict("somebody was in the way")

    monkeypatch.setattr("racelab_bank.ledger.Bank.apply", refuse)
    answer = root.post(page_of(playground.account), {"balance": "10", "initial-balance": "0"}, follow=True)
    assert b"Somebody was in the way" in answer.content
    assert b"was changed successfully" not in answer.content


def test_accounts_of_other_runs_are_not_there(root: Client, playground: Playground) -> None:
    other = Run.objects.create(
        key="other", scenario="deposit", strategy="row_lock", isolation="read-committed", opening_cents=0,
        minimum_cents=0, accounts=1, generators=1,
    )  # fmt: skip
    account = Account.objects.create(run=other, opening_cents=0, balance_cents=0)
    assert edit(root, account, "0.00", "5").status_code == 302
    assert playground.balance(account) == 0
    assert f"{account.pk}/change/".encode() not in root.get(ACCOUNTS).content


def test_transactions_are_listed_the_newest_first(root: Client, playground: Playground) -> None:
    client = Client()
    client.post("/demo/atomic_no_delay/", {"account": playground.account.pk, "amount": 100})
    client.post("/hesap/f", {"sahip": 7, "artim": "0.25"})
    page = re.sub(r"\s*(<[^>]+>\s*)+", "|", root.get(ENTRIES).content.decode())
    assert page.index("|0.25|") < page.index("|100.00|")
    assert "|f_expression|bank-test|" in page


@pytest.mark.parametrize(
    ("query", "amounts"),
    [("", ["1.00", "2.00"]), ("?run=playground", ["1.00", "2.00"]), ("?run=other", []), ("?strategy=row_lock", []),
     ("?strategy=atomic_only", ["1.00"])],
)  # fmt: skip
def test_transactions_are_filtered_by_run_and_strategy(
    root: Client, playground: Playground, query: str, amounts: list[str]
) -> None:
    Run.objects.create(
        key="other", scenario="deposit", strategy="row_lock", isolation="read-committed", opening_cents=0,
        minimum_cents=0, accounts=1, generators=1,
    )  # fmt: skip
    client = Client()
    for name, amount in (("atomic_no_delay", 1), ("non_atomic_no_delay", 2)):
        client.post(f"/demo/{name}/", {"account": playground.account.pk, "amount": amount})
    page = root.get(ENTRIES + query).content.decode()
    assert [amount for amount in ("1.00", "2.00") if f'field-amount">{amount}<' in page] == amounts


def test_transactions_can_be_read_and_nothing_else(root: Client, playground: Playground) -> None:
    Client().post("/demo/atomic_no_delay/", {"account": playground.account.pk, "amount": 100})
    entry = Entry.objects.get()
    assert root.get(f"{ENTRIES}{entry.pk}/change/").status_code == 200
    assert root.post(f"{ENTRIES}{entry.pk}/change/", {"amount_cents": 1}).status_code == 403
    assert root.get(f"{ENTRIES}add/").status_code == 403
    for page in (f"{ENTRIES}{entry.pk}/delete/", f"{ACCOUNTS}{playground.account.pk}/delete/"):
        assert root.post(page, {"post": "yes"}).status_code == 403


def test_no_more_rows_are_counted_than_can_be_paged_through(
    root: Client, playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("racelab_bank.seeds.admin_lists.MOST_ROWS", 3)
    for _ in range(4):
        Client().post("/demo/atomic_no_delay/", {"account": playground.account.pk, "amount": 1})
    assert BoundedPaginator(Entry.objects.order_by("-sequence"), 2).page_range == range(1, 3)
    with CaptureQueriesContext(connection) as captured:
        root.get(ENTRIES)
    counts = [query["sql"] for query in captured if "COUNT(*)" in query["sql"]]
    assert counts
    assert all("LIMIT 3" in count for count in counts)


def test_only_superusers_come_in(playground: Playground) -> None:
    put_user("ada", UserRequest(password="secret"))
    client = Client()
    client.login(username="ada", password="secret")
    for page in ("/admin/", ACCOUNTS, ENTRIES):
        assert client.get(page)["Location"].startswith("/admin/login/")
