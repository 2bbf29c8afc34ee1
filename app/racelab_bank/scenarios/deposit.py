"""Put money on an account: one leg, +amount.

Must keep: balance = opening + Σ amounts. No floor can refuse it, so all that can go wrong is a deposit that is lost.
"""

from racelab_bank.claims import Anomaly
from racelab_bank.posting import Leg, Posting
from racelab_bank.scenarios import scenario


@scenario(anomalies=(Anomaly.LOST_UPDATE,), noun="deposits", opening_cents=100_000, minimum_cents=0)
def deposit(account: int, amount_cents: int) -> Posting:
    """Return the posting of a deposit."""
    return Posting((Leg(account, amount_cents),))
