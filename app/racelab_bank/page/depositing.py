"""`Deposit now`: one deposit on the playground, in the bank's own way."""

from typing import Final
from uuid import uuid4

from django.db import DatabaseError, InterfaceError
from django.http import QueryDict

from racelab_bank import form
from racelab_bank.claims import ISOLATIONS
from racelab_bank.databases.postgresql import ALIASES
from racelab_bank.errors import InvalidField, NotApplied
from racelab_bank.ledger import Bank
from racelab_bank.models import Account
from racelab_bank.page import money
from racelab_bank.page.problems import sentence
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import Strategy, strategies

ISOLATION: Final = ISOLATIONS[0]


class NotDeposited(Exception):
    """Nothing was deposited, for a reason in a sentence."""


def depositing_strategies() -> list[Strategy]:
    """Return the strategies that can deposit on accounts that keep a balance, at the default isolation level."""
    able = (one for one in strategies().values() if one.serves(scenarios()["deposit"]))
    return [one for one in able if ISOLATION in one.claims and not one.accounts.get("derived")]


def deposit(fields: QueryDict) -> str:
    """Deposit what the form says; return what came of it, in a sentence. Raises `NotDeposited`."""
    try:
        account = form.integer(fields, "account", 1, form.MAXIMUM_ACCOUNT)
        cents = money.cents(fields.get("amount", ""))
        if cents is None:
            raise InvalidField("amount", fields.get("amount"), money.ALLOWED)
        strategy = _strategy(fields.get("strategy", ""))
        if not Account.objects.filter(pk=account, run__key=form.PLAYGROUND).exists():
            raise InvalidField("account", str(account), "an account of the playground, such as 1")
        operation = f"page-{uuid4()}"
        bank = Bank(ALIASES[ISOLATION], operation, strategy.name, window=lambda: None)
        applied = bank.apply(strategy, scenarios()["deposit"].post(account, cents))
    except NotApplied as error:
        raise NotDeposited(str(error)) from error
    except (DatabaseError, InterfaceError) as error:
        raise NotDeposited(sentence(error)) from error
    told = f"{money.signed(cents)} on account {account} by {strategy.name}"
    if applied.balance_after_cents is None or applied.balance_before_cents is None:
        return f"{told}: the database added it"
    return f"{told}: {money.money(applied.balance_before_cents)} ⇒ {money.money(applied.balance_after_cents)}"


def _strategy(name: str) -> Strategy:
    able = {one.name: one for one in depositing_strategies()}
    if name not in able:
        raise InvalidField("strategy", name, ", ".join(able))
    return able[name]
