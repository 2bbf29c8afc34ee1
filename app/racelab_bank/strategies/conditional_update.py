"""Check and add in one statement: `filter(balance__gte=x).update(balance=F("balance") − x)`; 0 rows is refused.

Safe at every level in autocommit: the statement locks the row, and checks what it finds there. A transfer takes one
statement per leg, the one that can be refused first; a crash between the two leaves half a posting, which no race does.

    -- T1  adds −80 where balance ≥ 80   1 row
    -- T2  adds −80 where balance ≥ 80   0 rows: refused; shows 20
"""

from racelab_bank.claims import Safe, at_every_level
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import ADDS_ABOVE_FLOOR
from racelab_bank.strategies import strategy

CLAIMS = at_every_level(Safe)


@strategy(CLAIMS, transaction="none", prevents=ADDS_ABOVE_FLOOR)
def conditional_update(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting with its floors in the WHERE clause."""
    bank.wait_window()
    return bank.write_conditional(posting)
