"""Let the database add: `update(balance=F("balance") + amount)`. A floor is checked in Python before it.

Loses nothing at any level. But the check reads a balance that is old by the time of the update: it overdraws.

    -- T1  reads 100; 100 − 80 is fine
    -- T2  reads 100; 100 − 80 is fine
    -- T1  adds −80
    -- T2  adds −80                      shows −60: nothing is lost, the floor is broken
"""

from racelab_bank.claims import Anomaly, at_every_level, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import ADDS
from racelab_bank.strategies import strategy

CLAIMS = at_every_level(racy(Anomaly.VISIBLE_OVERDRAFT))


@strategy(CLAIMS, transaction="none", prevents=ADDS)
def f_expression(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting with an F() expression; read first only when there is a floor to check."""
    seen = bank.read(posting) if posting.checked else None
    if seen is not None:
        posting.check(seen)
    bank.wait_window()
    return bank.write_computed(posting, seen=seen)
