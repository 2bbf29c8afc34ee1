"""Leave the floor to `CHECK (balance >= minimum)`, and let the database add: `update(balance=F("balance") + amount)`.

Safe at every level in autocommit: the constraint checks the balance that the database has just computed.

    -- T1  adds −80                       20: CHECK is content
    -- T2  adds −80                       23514: refused; shows 20
"""

from racelab_bank.claims import Safe, at_every_level
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import ADDS_ABOVE_FLOOR
from racelab_bank.strategies import strategy

CLAIMS = at_every_level(Safe)


@strategy(CLAIMS, transaction="none", accounts={"checked": True}, prevents=ADDS_ABOVE_FLOOR)
def check_constraint_f(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting with an F() expression, and let the constraint refuse it."""
    bank.wait_window()
    return bank.write_computed(posting)
