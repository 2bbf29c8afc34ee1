"""Dependency cycles: operations that depend on each other in a circle, in a way that no other rule tells.

Rule: a strongly connected component of the dependency graph without a cycle of two that is a lost update, a write skew
or a read skew. Floors that were checked too early are left out, since only an overdraft makes them wrong; so are
circles of nothing but amounts that the database added, since their sum is the same in every order. One finding per
component, told by its smallest cycle.

Source: G1c (circular information flow) and G2-item (a cycle with item anti-dependencies) in Adya, Weak Consistency,
1999.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from racelab_bank.audit.graph.cycles import Cycles, Name
from racelab_bank.audit.graph.dependencies import Sort
from racelab_bank.audit.graph.telling import told
from racelab_bank.audit.registry import Anomaly, Findings, detector

if TYPE_CHECKING:
    from racelab_bank.audit.graph.cycles import Cycle
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry

_TOLD = frozenset({Name.LOST_UPDATE, Name.WRITE_SKEW, Name.READ_SKEW})


@dataclass(frozen=True, slots=True)
class DependencyCycle(Anomaly):
    """A `cycle`; `legs` are the first legs of its operations, in its order."""

    kind: ClassVar[str] = "dependency_cycle"
    legs: tuple[Entry, ...]
    cycle: Cycle
    history: History = field(repr=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """One leg of each."""
        return self.legs

    @property
    def sentence(self) -> str:
        """Who depends on whom."""
        return told(self.history, self.cycle)


@detector(DependencyCycle, "dependency cycle")
def dependency_cycles(history: History) -> Findings[DependencyCycle]:
    """Find the components that no other rule tells."""
    edges = history.cycles.edges
    binding = (edges.sort != Sort.GUARD) & (edges.sort != Sort.PREDICATE)
    cycles = Cycles(edges.where(binding), len(history.postings), history.order_of_installs.rank)
    told_elsewhere = cycles.with_pairs_of(_TOLD) | cycles.all_of(Sort.COMMUTING)
    found = cycles.labels[~told_elsewhere[cycles.labels]]
    accounts, entries = history.tables.accounts, history.tables.entries

    def make(label: int) -> DependencyCycle:
        cycle = cycles.smallest(label, beyond=Sort.COMMUTING)
        account = int(accounts.id.values[cycle.steps[0].account])
        legs = tuple(entries.at(history.postings.first[list(cycle.postings)]))
        return DependencyCycle(account, legs, cycle, history)

    return Findings(found, make)
