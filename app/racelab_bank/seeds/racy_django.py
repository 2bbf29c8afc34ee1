"""racy-django: `account` and `amount` in whole units, added to the account's balance."""

from django.http import QueryDict

from racelab_bank.form import MAXIMUM_ACCOUNT, MAXIMUM_AMOUNT_CENTS, integer
from racelab_bank.posting import Posting
from racelab_bank.scenarios import scenarios
from racelab_bank.seeds import playground
from racelab_bank.seeds.units import CENTS_PER_UNIT


def deposit(fields: QueryDict) -> Posting:
    """Return the deposit of a form. Raises `InvalidField` and `UnknownAccount`."""
    account = integer(fields, "account", 1, MAXIMUM_ACCOUNT)
    amount = integer(fields, "amount", 0, MAXIMUM_AMOUNT_CENTS // CENTS_PER_UNIT)
    return scenarios()["deposit"].post(playground.money_account(account), amount * CENTS_PER_UNIT)
