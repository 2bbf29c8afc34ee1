"""What can be pressed, by whom, and what comes of it."""

import pytest
from django.test import Client, override_settings

from page.conftest import TOKEN
from page.reading import open_run, text
from racelab_bank.models import Account, Entry, Run
from racelab_bank.page.middleware import POLICY
from seeds.playing import open_playground

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

PRESSED = [("/deposit", {"account": "1", "amount": "1", "strategy": "f_expression"}),
           ("/races", {"strategy": "row_lock", "isolation": "read-committed"}), ("/races/none/step", {})]  # fmt: skip


@pytest.mark.parametrize(("path", "form"), PRESSED)
def test_whoever_has_not_shown_the_token_presses_in_vain(reader: Client, path: str, form: dict[str, str]) -> None:
    open_playground()
    for cookie in (None, "may press:1:forged", "may press"):
        if cookie:
            reader.cookies["racelab_page"] = cookie
        answer = reader.post(path, form)
        assert answer.status_code == 403
        assert "Sign in first" in text(answer)
    assert not Entry.objects.exists()
    assert Run.objects.count() == 1


@pytest.mark.parametrize(("path", "form"), [*PRESSED, ("/sign-in", {"token": TOKEN}), ("/sign-out", {})])
def test_a_form_from_elsewhere_is_refused(presser: Client, path: str, form: dict[str, str]) -> None:
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = presser.cookies
    answer = forged.post(path, form, headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert "This form was not sent from here" in text(answer)
    assert answer["Content-Security-Policy"] == POLICY


def test_signing_in_gives_a_cookie_that_no_script_reads_and_no_other_site_sends(reader: Client) -> None:
    answer = reader.post("/sign-in", {"token": f" {TOKEN}\n", "next": "/runs/one"})
    assert (answer.status_code, answer["Location"]) == (302, "/runs/one")
    cookie = answer.cookies["racelab_page"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    assert TOKEN not in cookie.value
    assert "Sign out" in text(reader.get("/"))
    reader.post("/sign-out")
    assert "Sign out" not in text(reader.get("/"))


def test_a_cookie_ends_with_the_token_that_it_was_given_for(presser: Client) -> None:
    assert "Sign out" in text(presser.get("/"))
    with override_settings(RACELAB_TOKEN="another"):
        assert "Sign out" not in text(presser.get("/"))


@pytest.mark.parametrize(("given", "words"), [("wrong", "That is not this auditor's token."), ("", "Type the token.")])
def test_a_wrong_token_is_told_so(reader: Client, given: str, words: str) -> None:
    answer = reader.post("/sign-in", {"token": given})
    assert answer.status_code == 403
    assert f"{words} Sign in with the token that `racelab up` prints" in text(answer)
    assert "racelab_page" not in answer.cookies


@pytest.mark.parametrize("given", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", ""])
def test_signing_in_leads_nowhere_else(reader: Client, given: str) -> None:
    assert reader.post("/sign-in", {"token": TOKEN, "next": given})["Location"] == "/"


def test_without_a_token_nothing_can_be_pressed_and_the_page_says_so(reader: Client) -> None:
    with override_settings(RACELAB_TOKEN=""):
        assert "the auditor was started without RACELAB_TOKEN" in text(reader.get("/"))
        assert reader.post("/sign-in", {"token": ""}).status_code == 403
        assert "nothing can be changed here" in text(reader.post("/races"))


def test_a_deposit_is_made_as_the_bank_makes_it(presser: Client) -> None:
    account = open_playground().account
    form = {"account": str(account.pk), "amount": "12.50", "strategy": "read_modify_write"}
    answer = presser.post("/deposit", form, headers={"HX-Request": "true"})
    assert f"+12.50 on account {account.pk} by read_modify_write: 0.00 ⇒ 12.50" in text(answer)
    entry = Entry.objects.get()
    assert (entry.amount_cents, entry.strategy, entry.operation[:5]) == (1_250, "read_modify_write", "page-")
    account.refresh_from_db()
    assert account.balance_cents == 1_250


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("amount", "0", "amount: given '0', allowed an amount from 0.01 to 10,000,000,000.00"),
        ("amount", "1.001", "amount: given '1.001', allowed"),
        ("amount", "", "amount: given '', allowed"),
        ("account", "999999", "account: given '999999', allowed an account of the playground, such as 1"),
        ("account", "x", "account: given 'x', allowed an integer"),
        ("strategy", "joint_read", "strategy: given 'joint_read', allowed advisory_lock"),
        ("strategy", "append_only", "strategy: given 'append_only'"),
    ],
)
def test_a_wrong_deposit_is_refused_with_what_is_allowed(presser: Client, field: str, value: str, told: str) -> None:
    account = open_playground().account
    form = {"account": str(account.pk), "amount": "1", "strategy": "f_expression", field: value}
    answer = presser.post("/deposit", form)
    assert answer.status_code == 422
    assert f"Nothing was deposited. {told}" in text(answer)
    assert not Entry.objects.exists()


def test_deposits_are_for_the_playground_and_for_no_experiments_account(presser: Client) -> None:
    open_playground()
    account = Account.objects.get(run=open_run())
    answer = presser.post("/deposit", {"account": str(account.pk), "amount": "1", "strategy": "f_expression"})
    assert answer.status_code == 422
    assert not Entry.objects.exists()
