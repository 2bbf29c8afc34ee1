"""Leave the floor to `CHECK (balance >= minimum)`, and read, add in Python, save.

The constraint is blind to lost updates: each balance that is written is fine by itself, and that two
withdrawals wrote the same one, no constraint can see.

    -- T1  reads 100
    -- T2  reads 100
    -- T1  writes 20                     CHECK is content
    -- T2  writes 20                     CHECK is content; shows 20: 160 of 100 were paid out
"""

from racelab_bank.claims import Anomaly, at_every_level, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import strategy

CLAIMS = at_every_level(racy(Anomaly.LOST_UPDATE, Anomaly.HIDDEN_OVERDRAFT))


@strategy(CLAIMS, transaction="none", accounts={"checked": True})
def check_constraint(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting and trust the constraint."""
    seen = bank.read(posting)
    bank.wait_window()
    return bank.write_absolute(posting, seen)
