"""Who can log in to a bank that is kept up: named by flags, made through the auditor once the lab is there."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from racelab_operator.auditor import Auditor, AuditorError
from racelab_operator.errors import RacelabError, WrongUseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from racelab_operator.platforms.local.addresses import Addresses

PASSWORD_VARIABLE: Final = "RACELAB_ADMIN_PASSWORD"  # noqa: S105  its name, not a password
# Django's own rule: told before anything is started.
_NAME: Final = re.compile(r"[\w.@+-]{1,150}")
_ALLOWED_NAME: Final = "1 to 150 letters, digits and @ . + - _"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody to be made: a user with an account to withdraw from, or a superuser for the admin."""

    name: str
    password: str = field(repr=False)
    is_superuser: bool = False


def newcomers(admin: str | None, users: Sequence[str]) -> tuple[Newcomer, ...]:
    """Read the flags `--admin NAME` and `--user NAME:PASSWORD`; the admin's password may be asked for.

    Raises:
        WrongUseError: a name that is not allowed or given twice, no password, or nobody who could be asked for it.

    """
    found = [_user(given) for given in users]
    names = [newcomer.name for newcomer in found]
    if admin is not None:
        _check_name("--admin", admin)
        names.append(admin)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise WrongUseError(f"--user: given {twice} twice: everybody needs a name of his own")
    if admin is not None:
        found.append(Newcomer(admin, _admin_password(admin), is_superuser=True))
    return tuple(found)


def _user(given: str) -> Newcomer:
    name, colon, password = given.partition(":")
    if not colon:
        # Not repeated: it may be a password alone.
        raise WrongUseError("--user: given no colon, allowed NAME:PASSWORD, such as ann:secret")
    _check_name("--user", name)
    if not password:
        raise WrongUseError(f"--user: given no password for {name}, allowed NAME:PASSWORD, such as {name}:secret")
    return Newcomer(name, password)


def _check_name(flag: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise WrongUseError(f"{flag}: given the name {name!r}, allowed {_ALLOWED_NAME}")


def _admin_password(name: str) -> str:
    """Take the password from the environment, else ask for it twice, without showing it."""
    if given := os.environ.get(PASSWORD_VARIABLE):
        return given
    if not sys.stdin.isatty():
        raise WrongUseError(
            f"--admin: given no password for {name}, and no terminal to ask on: set {PASSWORD_VARIABLE}, "
            "or start it on a terminal"
        )
    asked = click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True, err=True)
    return str(asked)


def make(people: Sequence[Newcomer], addresses: Addresses) -> None:
    """Make everybody on a lab that is up.

    Raises:
        RacelabError: the auditor refused somebody, or does not answer.

    """
    with Auditor(addresses.auditor_url, addresses.token) as auditor:
        for newcomer in people:
            try:
                auditor.put_user(newcomer.name, newcomer.password, superuser=newcomer.is_superuser)
            except AuditorError as error:
                raise RacelabError(f"the user {newcomer.name} could not be made: {error}") from error
