"""Whole histories in memory: one at a time, and a small one is kept while others may ask for it again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from racelab_bank.audit.history import History
from racelab_bank.auditor import rows
from racelab_bank.models import Run

#: Of up to so many entries, about 60 MB, the last history of a run that cannot change any more is kept.
KEPT_ENTRIES: Final = 100_000

#: Held by whoever works on a whole history. It may be taken again by the same thread.
TURN: Final = threading.RLock()

_Identity = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Whole:
    """A run's whole history in one snapshot, the transaction horizon in it, and when it was taken."""

    history: History
    horizon: int
    taken_at: datetime


_kept: tuple[_Identity, Whole] | None = None


@contextmanager
def whole(run: Run) -> Iterator[Whole]:
    """Give a run's whole history, as it is now; whoever else wants one waits until the block ends.

    Indexes and findings are made in it when they are first asked for, and serve who comes next.
    """
    global _kept  # noqa: PLW0603 - guarded by the turn
    with TURN:
        if _kept is not None and _kept[0] == run.identity:
            yield _kept[1]
            return
        _kept = None
        with rows.snapshot():
            found = Whole(taken_at=datetime.now(UTC), horizon=rows.horizon(), history=rows.history(run))
        # The report is stored when nothing can be added any more.
        if run.report is not None and len(found.history.entries) <= KEPT_ENTRIES:
            _kept = (run.identity, found)
        yield found
