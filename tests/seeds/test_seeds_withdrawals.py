"""Logging in, and withdrawing one unit per request."""

import re
from typing import Any

import pytest
from django.test import Client

from racelab_bank.auditor.users import UserRequest, put_user
from racelab_bank.models import Account, Entry
from seeds.playing import Playground, together

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

PAGE = "/accounts/withdraw/"


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada(playground: Playground) -> Account:
    put_user("ada", UserRequest(password="secret"))
    return Account.objects.get(user__username="ada")


def logged_in(name: str = "ada") -> Client:
    """Log in as curl does: the form for its cookie, then the form sent back."""
    client = Client(enforce_csrf_checks=True)
    page = client.get("/auth/login/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"username": name, "password": "secret", "csrfmiddlewaretoken": token.group(1)}
    answer: Any = client.post("/auth/login/", form)
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert {"csrftoken", "sessionid"} <= set(client.cookies)
    return client


def withdraw(client: Client) -> Any:
    """Withdraw as `ab` does: the token in a header, JSON without a body."""
    token = client.cookies["csrftoken"].value
    return client.post(PAGE, b"", content_type="application/json", headers={"X-CSRFToken": token})


def test_the_balance_is_shown_in_whole_units(ada: Account) -> None:
    client = logged_in()
    answer = client.get(PAGE)
    assert (answer.status_code, answer.content) == (200, b"1000000")
    assert answer["Racelab-Replica"] == "bank-test"
    Account.objects.filter(pk=ada.pk).update(balance_cents=1_250)
    assert client.get(PAGE).content == b"12.50"


def test_a_post_withdraws_one_unit_and_answers_the_balance_after_it(ada: Account) -> None:
    client = logged_in()
    assert [withdraw(client).content for _ in range(2)] == [b"999999", b"999998"]
    entries = Entry.objects.order_by("sequence")
    assert [(one.account_id, one.amount_cents, one.balance_after_cents, one.strategy) for one in entries] == [
        (ada.pk, -100, 99_999_900, "read_modify_write"),
        (ada.pk, -100, 99_999_800, "read_modify_write"),
    ]


def test_the_last_unit_can_be_withdrawn_and_no_more(ada: Account) -> None:
    Account.objects.filter(pk=ada.pk).update(balance_cents=100)
    client = logged_in()
    assert withdraw(client).content == b"0"
    answer = withdraw(client)
    assert (answer.status_code, answer["Content-Type"]) == (422, "text/plain; charset=utf-8")
    assert Entry.objects.count() == 1


def test_who_is_not_logged_in_sees_nothing_and_withdraws_nothing(ada: Account) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.get(PAGE)
    assert (answer.status_code, answer.content) == (200, b"")
    client.get("/auth/login/")
    refused = withdraw(client)
    assert (refused.status_code, refused.content[:12]) == (403, b"log in first")


def test_a_superuser_has_no_account_to_withdraw_from(playground: Playground) -> None:
    put_user("root", UserRequest(password="secret", superuser=True))
    client = logged_in("root")
    assert client.get(PAGE).content == b""
    assert withdraw(client).status_code == 403


def test_a_forged_post_is_refused(ada: Account) -> None:
    answer = logged_in().post(PAGE)
    assert answer.status_code == 403
    assert answer["Racelab-Replica"] == "bank-test"
    assert not Entry.objects.exists()


def test_a_form_posted_over_https_at_the_edge_is_not_taken_for_a_forged_one(ada: Account) -> None:
    client = logged_in()
    headers = {"X-Forwarded-Proto": "https", "Host": "shop.test:8443", "Origin": "https://shop.test:8443",
               "X-CSRFToken": client.cookies["csrftoken"].value}  # fmt: skip
    assert client.post(PAGE, headers=headers).content == b"999999"


def test_other_methods_are_refused(ada: Account) -> None:
    client = logged_in()
    answer = client.put(PAGE, headers={"X-CSRFToken": client.cookies["csrftoken"].value})
    assert answer.status_code == 405


def test_a_wrong_password_is_refused(ada: Account) -> None:
    answer = Client().post("/auth/login/", {"username": "ada", "password": "guess"})
    assert answer.status_code == 200
    assert "sessionid" not in answer.cookies


def test_a_logout_ends_the_session_everywhere(ada: Account) -> None:
    client, elsewhere = logged_in(), Client()
    elsewhere.cookies["sessionid"] = client.cookies["sessionid"].value
    assert elsewhere.get(PAGE).content == b"1000000"
    client.post("/auth/logout/", headers={"X-CSRFToken": client.cookies["csrftoken"].value})
    assert elsewhere.get(PAGE).content == b""


def test_two_withdrawals_that_overlap_lose_one(
    ada: Account, playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = logged_in()
    answers = together(monkeypatch, lambda: withdraw(client), lambda: withdraw(client))
    assert [answer.content for answer in answers] == [b"999999", b"999999"]
    audit = playground.audit()
    assert (audit.anomalies["lost_update"], audit.drift_cents) == (1, 100)
