"""Django Yarış Durum Açığı: /hesap, its locked way and its F() way."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.db.models.query import QuerySet
from django.test import Client

from racelab_bank.models import Account, Entry
from racelab_bank.seeds.hesap import STRATEGIES
from seeds.playing import Playground, together

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

MISSING_OWNER = {"hata": "sahip alanı bulunmalı"}
MISSING_AMOUNT = {"hata": "artim alanı bulunmalı"}
WRONG = {"hata": "sahip tamsayı, artim decimal olmalı"}


def post(path: str = "/hesap", **fields: Any) -> Any:
    return Client(enforce_csrf_checks=True).post(path, fields)


def balance(owner: int) -> int:
    return Account.objects.get(owner=owner).balance_cents


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_an_amount_is_added_to_the_owners_account(playground: Playground, name: str, slash: str) -> None:
    for _ in range(2):
        answer = post(f"/{name}{slash}", sahip=7, artim="20")
        assert (answer.status_code, answer.json()) == (200, {"mesaj": "Tamam"})
        assert answer["Content-Type"] == "application/json"
        assert answer["Racelab-Replica"] == "bank-test"
    account = Account.objects.get(owner=7)
    assert (account.balance_cents, account.opening_cents, account.run) == (4_000, 0, playground.run)
    assert {entry.strategy for entry in Entry.objects.all()} == {STRATEGIES[name]}
    assert playground.audit().drift_cents == 0


@pytest.mark.parametrize(("artim", "cents"), [("20.00", 2_000), ("-0.5", -50), ("2E1", 2_000), ("0", 0)])
def test_an_amount_is_any_decimal(playground: Playground, artim: str, cents: int) -> None:
    assert post(sahip=7, artim=artim).status_code == 200
    assert balance(7) == cents


@pytest.mark.parametrize("owner", [-(2**63), -1, 0, 2**63 - 1])
def test_an_owner_is_any_integer_of_64_bits(playground: Playground, owner: int) -> None:
    assert post(sahip=owner, artim=1).status_code == 200
    assert balance(owner) == 100


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, MISSING_OWNER),
        ({"artim": "x"}, MISSING_OWNER),
        ({"sahip": "x"}, MISSING_AMOUNT),
        ({"sahip": "x", "artim": 20}, WRONG),
        ({"sahip": "", "artim": 20}, WRONG),
        ({"sahip": "1.0", "artim": 20}, WRONG),
        ({"sahip": 2**63, "artim": 20}, WRONG),
        ({"sahip": -(2**63) - 1, "artim": 20}, WRONG),
        ({"sahip": "9" * 5_000, "artim": 20}, WRONG),
        ({"sahip": 1, "artim": ""}, WRONG),
        ({"sahip": 1, "artim": "20,5"}, WRONG),
        ({"sahip": 1, "artim": "0.001"}, WRONG),
        ({"sahip": 1, "artim": "NaN"}, WRONG),
        ({"sahip": 1, "artim": "Infinity"}, WRONG),
        ({"sahip": 1, "artim": "1e999999999"}, WRONG),
        ({"sahip": 1, "artim": "10000000000.01"}, WRONG),
    ],
)
def test_a_wrong_form_is_400_in_the_originals_words(
    playground: Playground, fields: dict[str, Any], told: dict[str, str]
) -> None:
    answer = post(**fields)
    assert (answer.status_code, answer.json()) == (400, told)
    assert not Account.objects.filter(owner__isnull=False).exists()


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post_is_taken(playground: Playground, method: str) -> None:
    answer = getattr(Client(), method)("/hesap")
    assert (answer.status_code, answer.json()) == (405, {"hata": "Sadece POST isteklerine izin verilir."})


def test_what_stands_in_the_address_is_no_form(playground: Playground) -> None:
    assert post("/hesap?sahip=1&artim=20").json() == MISSING_OWNER


@pytest.mark.parametrize(("path", "kept_cents"), [("/hesap", 2_000), ("/hesap/kilit", 4_000), ("/hesap/f", 4_000)])
def test_of_two_posts_that_overlap_only_the_naive_way_loses_one(
    playground: Playground, path: str, kept_cents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(path, sahip=7, artim=0)
    one = lambda: post(path, sahip=7, artim=20)  # noqa: E731
    assert [answer.status_code for answer in together(monkeypatch, one, one)] == [200, 200]
    assert balance(7) == kept_cents
    assert playground.audit().anomalies["lost_update"] == (1 if kept_cents == 2_000 else 0)


def test_twenty_first_posts_at_once_open_one_account(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them have looked, and found none, before the first one opens it."""
    all_looked = threading.Barrier(20)
    create = QuerySet.create

    def created(*args: Any, **kwargs: Any) -> Any:
        all_looked.wait(20)
        return create(*args, **kwargs)

    monkeypatch.setattr(QuerySet, "create", created)

    def visit(_: int) -> int:
        try:
            return int(post("/hesap/f", sahip=7, artim=20).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(visit, range(20))) == [200] * 20
    assert balance(7) == 40_000
    assert playground.audit().anomalies["duplicate"] == 0


def test_a_redemption_and_an_owner_of_the_same_number_do_not_meet(client: Client, playground: Playground) -> None:
    number = playground.code.pk
    assert client.post("/hesap", {"sahip": number, "artim": "20"}).status_code == 200
    form = {"code": number, "item": playground.item.pk, "amount": 100, "operation": "1"}
    for status in (200, 422):
        assert client.post("/bank/redeem/get_or_create_unique/", form).status_code == status
    assert client.post("/hesap", {"sahip": number, "artim": "20"}).status_code == 200
    owned = Account.objects.filter(run=playground.run, owner=number).order_by("pk")
    assert [(one.kind, one.balance_cents) for one in owned] == [("money", 4_000), ("redemption", 100)]
