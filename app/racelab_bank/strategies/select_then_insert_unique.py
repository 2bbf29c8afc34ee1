"""SELECT, then INSERT, in one transaction, with a unique constraint behind it: the second INSERT is refused (23505).

No duplicates at any level: the constraint sees rows that the transaction cannot. Whoever comes second waits for the
first to commit, and is then refused although an update would have been right: catch it, or ask for the row again.

    -- T1  BEGIN; finds nothing
    -- T2  BEGIN; finds nothing
    -- T1  inserts
    -- T2  inserts                       BLOCKS
    -- T1  COMMIT                        T2: 23505
"""

from racelab_bank.claims import Aborts, at_every_level
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import REFUSES_SECOND
from racelab_bank.strategies import openings, strategy


@strategy(at_every_level(Aborts), transaction="atomic", serves=openings, prevents=REFUSES_SECOND)
def select_then_insert_unique(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting to the owner's account, or create it where the database finds none."""
    opening = posting.required_opening
    with bank.transaction():
        found = bank.find(opening)
        if found is not None:
            return bank.write_computed(opening.deposit(found.pk))
        bank.wait_window()
        return bank.create(opening, unique_owner=True)
