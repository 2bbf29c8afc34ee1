"""Users and discount codes, as the auditor makes them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import connections
from pydantic import ValidationError

from racelab_bank.auditor.codes import CodesRequest, NewCode, new_codes
from racelab_bank.auditor.users import UserDescription, UserRequest, WrongUserName, put_user
from racelab_bank.models import Account
from seeds.playing import Playground

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def test_a_user_has_an_account_of_a_million_units(playground: Playground) -> None:
    described, new = put_user("ada", UserRequest(password="secret"))
    account = Account.objects.get(user__username="ada")
    assert (described, new) == (UserDescription(name="ada", superuser=False, account=account.pk), True)
    assert (account.run, account.kind, account.minimum_cents) == (playground.run, "money", 0)
    assert (account.opening_cents, account.balance_cents) == (100_000_000, 100_000_000)
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_repeating_sets_the_password_again_and_opens_no_second_account(playground: Playground) -> None:
    first, _ = put_user("ada", UserRequest(password="secret"))
    second, new = put_user("ada", UserRequest(password="other"))
    assert (second, new) == (first, False)
    assert authenticate(username="ada", password="other")
    assert not authenticate(username="ada", password="secret")


def test_a_superuser_has_no_account_and_loses_the_admin_when_made_a_user(playground: Playground) -> None:
    described, _ = put_user("ada", UserRequest(password="secret", superuser=True))
    assert described == UserDescription(name="ada", superuser=True, account=None)
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser) == (True, True)
    put_user("ada", UserRequest(password="secret"))
    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser) == (False, False)
    assert Account.objects.filter(user=user).exists()


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:b", "x" * 151, "a\0b"])
def test_a_name_that_django_does_not_take_is_refused(playground: Playground, name: str) -> None:
    with pytest.raises(WrongUserName, match="name: given"):
        put_user(name, UserRequest(password="secret"))
    assert not User.objects.exists()


@pytest.mark.parametrize("body", [{}, {"password": ""}, {"password": 5}, {"password": "x", "admin": True}])
def test_a_wrong_body_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        UserRequest.model_validate(body)


def test_new_codes_are_numbered_after_those_that_are_there(playground: Playground) -> None:
    made = new_codes(CodesRequest(count=2)).codes
    accounts = list(Account.objects.filter(kind="code").order_by("pk"))
    assert made == [
        NewCode(code=2, code_account=accounts[1].pk, item=1, item_account=playground.item.pk),
        NewCode(code=3, code_account=accounts[2].pk, item=1, item_account=playground.item.pk),
    ]
    assert {(one.run, one.opening_cents, one.balance_cents) for one in accounts} == {(playground.run, 1, 1)}


@pytest.mark.parametrize("count", [0, 1_001, "2", 1.5])
def test_no_more_than_a_thousand_codes_are_made_at_once(count: object) -> None:
    with pytest.raises(ValidationError):
        CodesRequest.model_validate({"count": count})


def test_codes_that_are_made_at_once_have_the_numbers_that_they_are_found_by(playground: Playground) -> None:
    def make(_: int) -> list[NewCode]:
        try:
            return new_codes(CodesRequest(count=20)).codes
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        made = [code for codes in threads.map(make, range(4)) for code in codes]
    accounts = Account.objects.filter(kind="code").order_by("pk").values_list("pk", flat=True)
    assert sorted((code.code, code.code_account) for code in made) == list(enumerate(accounts, 1))[1:]
