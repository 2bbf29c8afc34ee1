"""SELECT whether the row is there, INSERT it when it is not, in one transaction, without a unique constraint.

Two transactions find nothing, and both insert. Repeatable read does not help: there is no row that both would write.
Serializable aborts one of the two. A redemption also lowers the price of one item: that row both would write, and so
repeatable read aborts the second by way of the price, not of the code.

    -- T1  BEGIN; finds nothing
    -- T2  BEGIN; finds nothing
    -- T1  inserts; COMMIT
    -- T2  inserts; COMMIT               shows two rows; serializable: 40001
"""

from racelab_bank.claims import Aborts, Anomaly, claims, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import openings, strategy

DUPLICATES = racy(Anomaly.DUPLICATE)
CLAIMS = claims(read_committed=DUPLICATES, repeatable_read=DUPLICATES, serializable=Aborts)
REDEEM = claims(read_committed=DUPLICATES, repeatable_read=Aborts, serializable=Aborts)


@strategy(CLAIMS, transaction="atomic", serves=openings, exceptions={"redeem": REDEEM})
def select_then_insert(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting to the owner's account, or create it."""
    opening = posting.required_opening
    with bank.transaction():
        found = bank.find(opening)
        if found is not None:
            return bank.write_computed(opening.deposit(found.pk))
        bank.wait_window()
        return bank.create(opening)
