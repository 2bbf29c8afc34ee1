"""Lock all rows of the guard with `select_for_update()`, also those that are only read, then check their sum.

Safe at read committed: the rows that the decision depends on stand still until the commit. Above it, whoever waited for
a lock is aborted when a row has changed meanwhile.

    -- T1  BEGIN; locks both; reads 50 + 50; −80 is fine
    -- T2  BEGIN; locks both             BLOCKS
    -- T1  first account −80; COMMIT
    -- T2  reads −30 + 50; −80: refused; above read committed: 40001
"""

from racelab_bank.claims import Aborts, Safe, claims
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import BLOCKS
from racelab_bank.strategies import guards, strategy

CLAIMS = claims(read_committed=Safe, repeatable_read=Aborts, serializable=Aborts)


@strategy(CLAIMS, transaction="atomic", serves=guards, prevents=BLOCKS)
def joint_lock(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting under the locks of all accounts of the guard."""
    with bank.transaction():
        seen = bank.read_locked(posting)
        posting.check(seen)
        bank.wait_window()
        return bank.write_computed(posting, seen=seen)
