"""Lost updates, by victim: an entry that the balance does not descend from.

Rule: walk from the account's head along what each entry had read (`previous`; a computed entry read what it replaced).
Installed entries that are not met are lost. A stale writer can restore a branch that was overwritten, so during a run
the count may fall.

Source: P4 in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995; the lineage is the version order that
Adya, Weak Consistency, 1999, assumes and that a trigger records here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import operation, signed, who

if TYPE_CHECKING:
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class LostUpdate(Anomaly):
    """`victim` has no part in the balance, because `culprit` was computed from the balance before it.

    `culprit` is None where a balance without an entry took its place.
    """

    kind: ClassVar[str] = "lost_update"
    victim: Entry
    culprit: Entry | None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The victim and the culprit."""
        return (self.victim,) if self.culprit is None else (self.victim, self.culprit)

    @property
    def sentence(self) -> str:
        """Who was lost, and to whom."""
        lost = f"{operation(self.victim)} ({signed(self.victim.amount_cents)}) was lost"
        if self.culprit is None:
            return f"{lost}: a write without an entry put back the balance before it"
        return f"{lost}: {who(self.culprit)} had read the balance before it"


@detector(LostUpdate, "lost update")
def lost_updates(history: History) -> Lazy[LostUpdate]:
    """Find the entries that are not on their account's lineage."""
    versions = history.versions

    def make(number: int) -> LostUpdate:
        victim = versions.entry_at(int(versions.victims[number]))
        assert victim is not None  # noqa: S101 - only entries are lost
        return LostUpdate(victim.account, victim, versions.entry_at(int(versions.culprits[number])))

    return Lazy(np.arange(len(versions.victims)), make)
