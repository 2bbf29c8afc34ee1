"""Redeem a discount code on an item: the code loses its one use, the item's price falls by the amount.

A code is an account with an opening balance of 1 that may not fall below 0; a price is an account, too. Each target of
a load is one code and one item. Must keep: a code is redeemed once, and the price falls once.
What a second redemption shows as depends on how it was made: a lost update with a hidden overdraft (both wrote "used"),
a visible overdraft (−1 uses are left), or a duplicate (two redemptions were inserted for one code).
"""

from racelab_bank.claims import Anomaly
from racelab_bank.errors import InvalidField
from racelab_bank.models import Account
from racelab_bank.posting import Leg, Opening, Posting
from racelab_bank.scenarios import NewAccount, Terms, scenario


def a_code_and_an_item(terms: Terms) -> tuple[NewAccount, ...]:
    """Open a code with one use, and an item with its price."""
    return NewAccount(1, kind="code"), NewAccount(terms.price_cents, kind="item")


@scenario(
    anomalies=(Anomaly.LOST_UPDATE, Anomaly.HIDDEN_OVERDRAFT, Anomaly.VISIBLE_OVERDRAFT, Anomaly.DUPLICATE),
    noun="redemptions",
    fields={"code": "account", "item": "other"},
    other="pair",
    target="batch",
    opens=a_code_and_an_item,
    price_cents=100_000,
    legs=2,
    opens_accounts=True,
)
def redeem(code: int, item: int, amount_cents: int) -> Posting:
    """Return the posting of a redemption. Raises `InvalidField` for one account twice."""
    if code == item:
        raise InvalidField("item", str(item), f"another account than code, which is {code}")
    price = Leg(item, -amount_cents)
    record = Opening(code, code, amount_cents, others=(price,), once=True, kind=Account.Kind.REDEMPTION)
    return Posting.of(Leg(code, -1, floored=True), price, opening=record)
