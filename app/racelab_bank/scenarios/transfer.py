"""Move money from one account to another, not below the first one's minimum: two legs, −amount and +amount.

Must keep: each balance = opening + Σ amounts, no account below its minimum, and the total of all accounts as it was.
A leg may be lost on one account and not on the other: then the bank as a whole has more money than before, or less.
Locks are taken in order of account ids, so two transfers in opposite directions wait instead of deadlocking.
"""

from racelab_bank.claims import Anomaly
from racelab_bank.errors import InvalidField
from racelab_bank.posting import Leg, Posting
from racelab_bank.scenarios import scenario


@scenario(
    anomalies=(Anomaly.LOST_UPDATE, Anomaly.HIDDEN_OVERDRAFT, Anomaly.VISIBLE_OVERDRAFT),
    noun="transfers",
    fields={"from": "account", "to": "other"},
    other="random",
    targets=2,
    opening_cents=100_000,
    opening_percent_of_load=5,
    minimum_cents=0,
    legs=2,
)
def transfer(source: int, destination: int, amount_cents: int) -> Posting:
    """Return the posting of a transfer. Raises `InvalidField` for one account twice."""
    if source == destination:
        raise InvalidField("to", str(destination), f"another account than from, which is {source}")
    return Posting.of(Leg(source, -amount_cents, floored=True), Leg(destination, amount_cents))
