"""Take money from an account, not below its minimum: one leg, −amount, floored.

Must keep: balance = opening + Σ amounts, and opening + Σ amounts ≥ minimum. A lost withdrawal leaves a balance that
looks fine while more was paid out than there was (hidden overdraft); an unchecked one takes it below (visible).
"""

from racelab_bank.claims import Anomaly
from racelab_bank.posting import Leg, Posting
from racelab_bank.scenarios import scenario


@scenario(
    anomalies=(Anomaly.LOST_UPDATE, Anomaly.HIDDEN_OVERDRAFT, Anomaly.VISIBLE_OVERDRAFT),
    noun="withdrawals",
    opening_cents=100_000,
    opening_percent_of_load=50,
    minimum_cents=0,
)
def withdraw(account: int, amount_cents: int) -> Posting:
    """Return the posting of a withdrawal."""
    return Posting((Leg(account, -amount_cents, floored=True),))
