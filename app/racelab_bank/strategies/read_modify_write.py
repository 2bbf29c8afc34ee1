"""Read, add in Python, save; no transaction.

Loses updates at every isolation level: levels do nothing outside a transaction.

    -- T1  reads 100
    -- T2  reads 100
    -- T1  writes 110
    -- T2  writes 150                    shows 150: T1's +10 is lost
"""

from racelab_bank.claims import Anomaly, at_every_level, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import strategy

CLAIMS = at_every_level(racy(Anomaly.LOST_UPDATE, Anomaly.HIDDEN_OVERDRAFT))


@strategy(CLAIMS, transaction="none")
def read_modify_write(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting as most code does that was never raced."""
    seen = bank.read(posting)
    posting.check(seen)
    bank.wait_window()
    return bank.write_absolute(posting, seen)
