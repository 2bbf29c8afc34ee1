"""An anomaly that is a cycle of dependencies: detectors of such anomalies only choose which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from racelab_bank.audit.graph.telling import told
from racelab_bank.audit.registry import Anomaly

if TYPE_CHECKING:
    from racelab_bank.audit.graph.cycles import Cycle
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class CycleFound(Anomaly):
    """A `cycle`; `legs` are the first legs of its operations, in its order. Its account is that of its first step."""

    legs: tuple[Entry, ...]
    cycle: Cycle
    history: History = field(repr=False)

    @classmethod
    def of(cls, history: History, cycle: Cycle) -> Self:
        """Make it of a history's cycle."""
        account = int(history.tables.accounts.id.values[cycle.steps[0].account])
        legs = history.tables.entries.at(history.postings.first[list(cycle.postings)])
        return cls(account, tuple(legs), cycle, history)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """One leg of each."""
        return self.legs

    @property
    def sentence(self) -> str:
        """Who depends on whom."""
        return told(self.history, self.cycle)
