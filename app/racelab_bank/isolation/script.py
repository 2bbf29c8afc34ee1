"""A script: which transaction says what, in which order.

Written as data, `script(T1("UPDATE …"), T2("SELECT …"), T1(COMMIT), T2(COMMIT))`. Nothing says what waits or fails:
that is observed. A transaction begins with its first statement. Two of them should not wait for the same row: which one
comes first when it is free, PostgreSQL does not promise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from racelab_bank.claims import ISOLATIONS

#: Each statement its own transaction: what Django does outside `atomic()`. No isolation level, but a control.
AUTOCOMMIT: Final = "autocommit"

#: How a script can be performed, by the names used in tables: from the weakest to the strongest.
LEVELS: Final = (AUTOCOMMIT, *ISOLATIONS)

COMMIT: Final = "COMMIT"
ROLLBACK: Final = "ROLLBACK"
ENDS: Final = frozenset({COMMIT, ROLLBACK})

#: The names of transactions, and so of connections.
TRANSACTIONS: Final = ("T1", "T2", "T3")

#: What every script starts from: value by id.
START: Final = {1: 10, 2: 20}


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of one transaction, without its semicolon."""

    transaction: str
    sql: str


T1: Final[Callable[[str], Step]] = partial(Step, "T1")
T2: Final[Callable[[str], Step]] = partial(Step, "T2")
T3: Final[Callable[[str], Step]] = partial(Step, "T3")


@dataclass(frozen=True, slots=True)
class Script:
    """Steps in the order in which they are said, on a table `test (id int PRIMARY KEY, value int)` with `START`."""

    steps: tuple[Step, ...]

    @property
    def transactions(self) -> tuple[str, ...]:
        """The transactions that take part, in order of their names."""
        return tuple(sorted({step.transaction for step in self.steps}))

    def of(self, transaction: str) -> tuple[str, ...]:
        """Return the statements of one transaction; statement numbers count these, from 1."""
        return tuple(step.sql for step in self.steps if step.transaction == transaction)


def script(*steps: Step) -> Script:
    """Make a script. Raises `ValueError` when a transaction is unknown, does not end, or goes on after its end."""
    made = Script(steps)
    for transaction in made.transactions:
        if transaction not in TRANSACTIONS:
            raise ValueError(f"transaction: given {transaction}, allowed {', '.join(TRANSACTIONS)}")
        *before, last = made.of(transaction)
        if last not in ENDS or ENDS.intersection(before):
            raise ValueError(
                f"{transaction}: given {[*before, last]}, allowed one COMMIT or ROLLBACK, as its last step"
            )
    return made
