"""Discount codes for the playground: a code is used once, and whoever races for one wants another."""

from django.db import transaction
from ninja import Field, Schema
from pydantic import ConfigDict

from racelab_bank.form import PLAYGROUND
from racelab_bank.models import Account, Run


class CodesRequest(Schema):
    """How many codes to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    count: int = Field(ge=1, le=1_000)


class NewCode(Schema):
    """A code and an item to use it on: as numbers, for the older systems' endpoints, and as account ids, for /bank."""

    code: int
    code_account: int
    item: int
    item_account: int


class NewCodes(Schema):
    """The codes that were made."""

    codes: list[NewCode]


def new_codes(asked: CodesRequest) -> NewCodes:
    """Make codes that may be used once. All are for the first item."""
    with transaction.atomic():
        # One after the other: a code's number is its place in the order of ids.
        run = Run.objects.select_for_update(no_key=True).get(key=PLAYGROUND)
        accounts = Account.objects.filter(run=run)
        item = accounts.filter(kind=Account.Kind.ITEM).order_by("pk").values_list("pk", flat=True)[0]
        first_number = accounts.filter(kind=Account.Kind.CODE).count() + 1
        made = Account.objects.bulk_create(
            [Account(run=run, kind=Account.Kind.CODE, opening_cents=1, balance_cents=1) for _ in range(asked.count)]
        )
    codes = [
        NewCode(code=number, code_account=account.pk, item=1, item_account=item)
        for number, account in enumerate(made, first_number)
    ]
    return NewCodes(codes=codes)
