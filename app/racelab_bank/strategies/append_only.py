"""Keep no balance: sum up the entries, check, and insert another one.

There is no balance to lose. But the sum is old by the time of the insert: two withdrawals that each see enough overdraw
together, at repeatable read too, since they write no common row. Serializable aborts one of them.

    -- T1  BEGIN; sums up 100
    -- T2  BEGIN; sums up 100
    -- T1  inserts −80; COMMIT
    -- T2  inserts −80; COMMIT           shows −60; serializable: 40001
"""

from racelab_bank.claims import Aborts, Anomaly, claims, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import INSERTS
from racelab_bank.strategies import strategy

OVERDRAWS = racy(Anomaly.VISIBLE_OVERDRAFT)
CLAIMS = claims(read_committed=OVERDRAWS, repeatable_read=OVERDRAWS, serializable=Aborts)


@strategy(CLAIMS, transaction="atomic", accounts={"derived": True}, prevents=INSERTS)
def append_only(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting by inserting its entries."""
    with bank.transaction():
        sums = bank.read_sums(posting)
        posting.check(sums.seen)
        bank.wait_window()
        return bank.append(posting, sums)
