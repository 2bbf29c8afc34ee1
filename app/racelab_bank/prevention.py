"""How a strategy keeps one operation from overlooking another: told wherever the audit finds two that did.

A strategy names its `Prevention` beside its claims. Those below are shared; a strategy that works in a way of its own
says so in words of its own.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Prevention:
    """What would have happened, in `words` that go on after the strategy's name, `at` a step of the late operation.

    In them `{late}` is the operation that would have been stopped or changed, `{early}` the one that it overlooked.
    `refuses`: this is what makes operations fail where the strategy claims `Aborts`, and not the isolation level.
    """

    at: Literal["read", "write"] | None
    words: str
    refuses: bool = False


#: A lock that is taken before the read, and held until the commit.
BLOCKS = Prevention("read", "would have BLOCKED {late}'s read here until {early} had committed")
#: The same lock, for those who do not want to wait.
NEVER_WAITS = Prevention("read", "would have refused {late} here at once: {early} held the row (55P03)", refuses=True)
#: An update that the database computes from what is there by then.
ADDS = Prevention("write", "would have added {late}'s amount here to what {early} had left")
#: The same, with the floor checked by the statement that adds.
ADDS_ABOVE_FLOOR = Prevention(
    "write", "would have added {late}'s amount here to what {early} had left, or refused it where that is too little"
)
#: Optimistic locking.
COMPARES = Prevention("write", "would have found 0 rows here, as {early} had changed the version, and read again")
#: No balance is kept.
INSERTS = Prevention("write", "would have inserted {late}'s entry here beside {early}'s, with no balance to write over")
#: A transaction that the database aborts and that is begun again.
TRIES_AGAIN = Prevention("write", "would have tried {late} again, as the database aborts it here (40001)")
#: A unique constraint on what may be there once.
REFUSES_SECOND = Prevention("write", "would have refused {late}'s insert here (23505)", refuses=True)
#: The same, asked again after the refusal.
FINDS_FIRST = Prevention(
    "write", "would have refused {late}'s insert here (23505), and taken {early}'s account instead"
)
#: Of a strategy that claims to be safe and does not say how.
CLAIMS_ONLY = Prevention(None, "claims that this does not happen with it")
