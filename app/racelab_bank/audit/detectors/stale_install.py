"""Stale installs, the culprits of lost updates: a balance computed from a read that was no longer true.

Rule: the entry's `previous` is not the install's `old_head`. It overwrote the entries installed after `previous` up to
and including `old_head`, as far as they are victims: without that condition 1,022 entries were blamed that were not
lost.

Source: the second write of P4, r1[x]…w2[x]…w1[x], in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import count, signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from racelab_bank.audit.history import Entry, History, Install
    from racelab_bank.audit.timeline import Timeline


@dataclass(frozen=True, slots=True)
class StaleInstall(Anomaly):
    """A `version` on an account's `timeline` that replaced a balance which its writer had not read."""

    kind: ClassVar[str] = "stale_install"
    timeline: Timeline = field(repr=False)
    version: int

    @property
    def install(self) -> Install:
        """The balance that it put."""
        return self.timeline.installs[self.version]

    @property
    def overwrote(self) -> Sequence[Entry]:
        """The lost entries that it overwrote, in version order."""
        return self.timeline.overwrote(self.version)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The culprit and what it overwrote."""
        culprit = self.timeline.matched[self.version]
        return (*(() if culprit is None else (culprit,)), *self.overwrote)

    @property
    def sentence(self) -> str:
        """Who wrote over what."""
        culprit, *overwrote = self.entries
        wrote = f"operation {culprit.operation} ({signed(culprit.amount_cents)}) on {culprit.replica} wrote over"
        if not overwrote:
            return f"{wrote} a balance that it had not read; nothing that counts was lost by it"
        lost = count(len(overwrote), "operation")
        return f"{wrote} {lost} that it had not read: the first is operation {overwrote[0].operation}"


@detector(StaleInstall, "stale install", decisive=False)
def stale_installs(history: History) -> Iterator[StaleInstall]:
    """Yield the installs whose entry had read another head than the one it replaced."""
    for account, timeline in history.timelines.items():
        for version in timeline.stale_versions():
            yield StaleInstall(account, timeline, version)
