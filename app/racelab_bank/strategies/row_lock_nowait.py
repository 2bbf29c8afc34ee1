"""`select_for_update(nowait=True)`: refused at once when somebody else holds the row, instead of waiting.

Safe at every level: nobody waits, so nobody goes on with what is old by then. The caller decides whether to come again.

    -- T1  BEGIN; locks; reads 100
    -- T2  BEGIN; locks                  55P03: refused
    -- T1  writes 110; COMMIT            shows 110
"""

from racelab_bank.claims import Aborts, at_every_level
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import NEVER_WAITS
from racelab_bank.strategies import strategy

CLAIMS = at_every_level(Aborts)


@strategy(CLAIMS, transaction="atomic", prevents=NEVER_WAITS)
def row_lock_nowait(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting under the rows' locks, or not at all."""
    with bank.transaction():
        seen = bank.read_locked(posting, nowait=True)
        posting.check(seen)
        bank.wait_window()
        return bank.write_absolute(posting, seen)
