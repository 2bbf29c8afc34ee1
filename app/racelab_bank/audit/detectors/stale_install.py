"""Stale installs, the culprits of lost updates: a balance computed from a read that was no longer true.

Rule: the entry's `previous` is not the install's `old_head`. It overwrote the entries installed after `previous` up to
and including `old_head`, as far as they are victims: without that condition 1,022 entries were blamed that were not
lost.

Source: the second write of P4, r1[x]…w2[x]…w1[x], in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.tables import Joined
from racelab_bank.audit.words import count, operation, who_and_what

if TYPE_CHECKING:
    from collections.abc import Sequence

    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class StaleInstall(Anomaly):
    """A balance that `culprit` put over one which it had not read; `overwrote` are the lost entries in between."""

    kind: ClassVar[str] = "stale_install"
    culprit: Entry
    overwrote: Sequence[Entry] = field(repr=False)

    @property
    def entries(self) -> Sequence[Entry]:
        """The culprit and what it overwrote."""
        return Joined((self.culprit,), self.overwrote)

    @property
    def sentence(self) -> str:
        """Who wrote over what."""
        culprit, overwrote = self.culprit, self.overwrote
        wrote = f"{who_and_what(culprit)} wrote over"
        if not overwrote:
            return f"{wrote} a balance that it had not read; nothing that counts was lost by it"
        lost = count(len(overwrote), "operation")
        return f"{wrote} {lost} that it had not read: the first is {operation(overwrote[0])}"


@detector(StaleInstall, "stale install", decisive=False)
def stale_installs(history: History) -> Lazy[StaleInstall]:
    """Find the installs whose entry had read another head than the one it replaced."""
    versions, entries = history.versions, history.tables.entries

    def make(version: int) -> StaleInstall:
        culprit = entries[int(versions.entry[version])]
        lost = versions.entry[versions.overwrote(version)]
        return StaleInstall(culprit.account, culprit, Lazy(lost, entries.__getitem__))

    return Lazy(np.flatnonzero(versions.stale), make)
