"""racy-django's HTTP/2 fork: a discount `code` that may be used once takes 10.00 off an `item`'s price.

Items and codes are numbers on the playground; `racelab codes new` makes more codes.
"""

from typing import Final

from django.http import QueryDict

from racelab_bank.form import MAXIMUM_ACCOUNT, integer
from racelab_bank.models import Account
from racelab_bank.posting import Posting
from racelab_bank.scenarios import scenarios
from racelab_bank.seeds import playground

DISCOUNT_CENTS: Final = 1_000


def redemption(fields: QueryDict) -> Posting:
    """Return the redemption of a form. Raises `InvalidField` and `UnknownAccount`."""
    item = integer(fields, "item", 1, MAXIMUM_ACCOUNT)
    code = integer(fields, "code", 1, MAXIMUM_ACCOUNT)
    return scenarios()["redeem"].post(
        playground.numbered(Account.Kind.CODE, code), playground.numbered(Account.Kind.ITEM, item), DISCOUNT_CENTS
    )
