"""People who log in: the Django admin's superusers, and users with an account to withdraw from."""

from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from ninja import Field, Schema
from pydantic import ConfigDict

from racelab_bank.form import PLAYGROUND
from racelab_bank.models import Account, Run

#: 1,000,000 units, as in the system whose client withdraws one of them per request.
OPENING_CENTS: Final = 100_000_000


class WrongUserName(Exception):
    """A name that Django does not take: 422."""


class UserRequest(Schema):
    """What a user is made with; repeated, the password is set again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    password: str = Field(min_length=1, max_length=1_000)
    superuser: bool = False


class UserDescription(Schema):
    """A user. `account` is the id of the account to withdraw from; superusers have none."""

    name: str
    superuser: bool
    account: int | None


def put_user(name: str, asked: UserRequest) -> tuple[UserDescription, bool]:
    """Make or change the user `name`; return it and whether it is new. Raises `WrongUserName`."""
    name = User.normalize_username(name)
    try:
        User(username=name).clean_fields(exclude=["password"])
    except ValidationError as error:
        raise WrongUserName(f"name: given {name[:200]!r}: {' '.join(error.messages)}") from error
    with transaction.atomic():
        user, new = User.objects.get_or_create(username=name)
        user.set_password(asked.password)
        user.is_staff = user.is_superuser = asked.superuser
        user.save(update_fields=["password", "is_staff", "is_superuser"])
        account = None if asked.superuser else _account(user)
    return UserDescription(name=name, superuser=asked.superuser, account=account), new


def _account(user: User) -> int:
    run = Run.objects.get(key=PLAYGROUND)
    opening = {"run": run, "opening_cents": OPENING_CENTS, "balance_cents": OPENING_CENTS}
    account, _ = Account.objects.get_or_create(user=user, defaults=opening)
    return account.pk
