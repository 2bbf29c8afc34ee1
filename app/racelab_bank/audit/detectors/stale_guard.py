"""Stale guards, the culprits of overdrafts: a floor was checked on a balance that was no longer true.

Rule: an operation read an account for its check and then let the database change it, and another version came between
the two. By itself that is a cycle on one account without a victim: nothing is lost. It is anomalous only where it
overdraws: the balance that it put is below the account's minimum or, of accounts that back each other, the sum is at
the end.

Source: the constraint violation (A5B) of one item, in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.heads import NONE
from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.versions import OPENING
from racelab_bank.audit.words import count, money, who_and_what

if TYPE_CHECKING:
    from racelab_bank.audit.columns import Flags
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class StaleGuard(Anomaly):
    """`checker` saw `seen_cents`; `overlooked` other versions came before its own, at `installed_cents`."""

    kind: ClassVar[str] = "stale_guard"
    checker: Entry
    seen_cents: int
    installed_cents: int
    overlooked: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The checker."""
        return (self.checker,)

    @property
    def sentence(self) -> str:
        """Who checked what, and what came of it."""
        checker = self.checker
        return (
            f"{who_and_what(checker)} checked "
            f"{money(self.seen_cents)} on account {self.account}; {count(self.overlooked, 'write')} later it "
            f"took that to {money(self.installed_cents)}"
        )


@detector(StaleGuard, "stale guard", decisive=False)
def stale_guards(history: History) -> Lazy[StaleGuard]:
    """Find the checks that were too early and led below a minimum."""
    versions, reads, installs = history.versions, history.dependencies.reads, history.tables.installs
    before = np.where(reads.version == OPENING, versions.starts[reads.account] - 1, reads.version)
    stale = (reads.own != NONE) & (reads.version >= OPENING) & (before + 1 < reads.own)
    found = np.flatnonzero(stale & _overdrawn(history)[reads.own]) if len(versions) else np.zeros(0, np.intp)

    def make(read: int) -> StaleGuard:
        own = int(reads.own[read])
        overlooked = installs[int(versions.install[before[read] + 1])]
        checker = versions.entry_at(own)
        assert checker is not None  # noqa: S101 - the reader's own version is that of its entry
        installed = installs[int(versions.install[own])].new_balance_cents
        return StaleGuard(
            checker.account, checker, overlooked.old_balance_cents, installed, own - int(before[read]) - 1
        )

    return Lazy(found, make)


def _overdrawn(history: History) -> Flags:
    """Return the versions below the minimum; of accounts that back each other, all where the sum ends below it."""
    versions, groups = history.versions, history.groups
    installed = history.cents(history.tables.installs.new_balance_cents)[versions.install]
    minimum = history.cents(history.tables.accounts.minimum_cents)[versions.account]
    group = groups.of[versions.account]
    together = np.asarray(groups.balance_cents < groups.minimum_cents, np.bool_)[group]
    return np.where(groups.shared[group], together, np.asarray(installed < minimum, np.bool_))
