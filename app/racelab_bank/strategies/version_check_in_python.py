"""Read the version again, compare it in Python, then save. A wrong fix: the comparison and the write are two steps.

Loses updates at every isolation level, outside a transaction as they do nothing there.

    -- T1  reads 100 at version 7; reads version 7 again: fine
    -- T2  reads 100 at version 7; reads version 7 again: fine
    -- T1  writes 110, version 8
    -- T2  writes 150, version 8         shows 150: T1's +10 is lost
"""

from racelab_bank.claims import Anomaly, at_every_level, racy
from racelab_bank.errors import Conflict
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import strategy

CLAIMS = at_every_level(racy(Anomaly.LOST_UPDATE, Anomaly.HIDDEN_OVERDRAFT))


@strategy(CLAIMS, transaction="none")
def version_check_in_python(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting when nobody had written by the time of the second look."""
    seen = bank.read(posting)
    posting.check(seen)
    again = bank.read(posting)
    if any(again[account].version != read.version for account, read in seen.items()):
        raise Conflict("somebody has written since the account was read")
    bank.wait_window()
    return bank.write_absolute(posting, seen)
