"""Read all balances of the guard, check their sum, then let the database lower one of them.

Two withdrawals from different accounts write no common row: at read committed and at repeatable read both go through
(write skew), though each would have refused after the other. Serializable sees the dependencies and aborts one.

    -- T1  BEGIN; reads 50 + 50; −80 is fine
    -- T2  BEGIN; reads 50 + 50; −80 is fine
    -- T1  first account −80; COMMIT
    -- T2  second account −80; COMMIT    shows −30 and −30: −60 together; serializable: 40001
"""

from racelab_bank.claims import Aborts, Anomaly, claims, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import guards, strategy

SKEWED = racy(Anomaly.WRITE_SKEW, Anomaly.VISIBLE_OVERDRAFT)
CLAIMS = claims(read_committed=SKEWED, repeatable_read=SKEWED, serializable=Aborts)


@strategy(CLAIMS, transaction="atomic", serves=guards)
def joint_read(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting after a look at all accounts of the guard."""
    with bank.transaction():
        seen = bank.read(posting)
        posting.check(seen)
        bank.wait_window()
        return bank.write_computed(posting, seen=seen)
