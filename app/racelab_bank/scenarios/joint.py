"""Take money from one of an owner's two accounts, as long as both together hold enough: one leg under a guard.

Each account alone may fall below its minimum. Must keep: the sum of both balances ≥ the sum of both minimums. Two
withdrawals from different accounts touch no common row, so that no row's lock and no update conflict sees them: each is
right on what it read, both together are not (write skew).
"""

from racelab_bank.claims import Anomaly
from racelab_bank.errors import InvalidField
from racelab_bank.posting import Leg, Posting
from racelab_bank.scenarios import NewAccount, Terms, scenario


def two_accounts_of_an_owner(terms: Terms) -> tuple[NewAccount, ...]:
    """Open two accounts that back each other."""
    return (NewAccount(terms.opening_cents, terms.minimum_cents, owned=True),) * 2


@scenario(
    anomalies=(Anomaly.WRITE_SKEW, Anomaly.VISIBLE_OVERDRAFT),
    noun="withdrawals",
    fields={"account": "account", "other": "other"},
    other="swap",
    opens=two_accounts_of_an_owner,
    opening_cents=100_000,
    opening_percent_of_load=25,
    minimum_cents=0,
    guarded=True,
)
def joint(account: int, other: int, amount_cents: int) -> Posting:
    """Return the posting of a joint withdrawal. Raises `InvalidField` for one account twice."""
    if account == other:
        raise InvalidField("other", str(other), f"the owner's other account than {account}")
    return Posting((Leg(account, -amount_cents),), guard=(account, other))
