"""Dependency cycles: operations that depend on each other in a circle, in a way that no other rule tells.

Rule: a strongly connected component of the dependency graph without a cycle of two that is a lost update, a write skew
or a read skew. Floors that were checked too early are left out, since only an overdraft makes them wrong; so are
circles of nothing but amounts that the database added, since their sum is the same in every order. One finding per
component, told by its smallest cycle.

Source: G1c (circular information flow) and G2-item (a cycle with item anti-dependencies) in Adya, Weak Consistency,
1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from racelab_bank.audit.graph.cycles import Cycles, Name
from racelab_bank.audit.graph.dependencies import Sort
from racelab_bank.audit.graph.finding import CycleFound
from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import detector

if TYPE_CHECKING:
    from racelab_bank.audit.history import History

_TOLD = frozenset({Name.LOST_UPDATE, Name.WRITE_SKEW, Name.READ_SKEW})


@dataclass(frozen=True, slots=True)
class DependencyCycle(CycleFound):
    """A circle of operations."""

    kind: ClassVar[str] = "dependency_cycle"


@detector(DependencyCycle, "dependency cycle")
def dependency_cycles(history: History) -> Lazy[DependencyCycle]:
    """Find the components that no other rule tells."""
    edges = history.cycles.edges
    binding = (edges.sort != Sort.GUARD) & (edges.sort != Sort.PREDICATE)
    cycles = Cycles(edges.where(binding), len(history.postings), history.order_of_installs.rank)
    told_elsewhere = cycles.with_pairs_of(_TOLD) | cycles.all_of(Sort.COMMUTING)
    found = cycles.labels[~told_elsewhere[cycles.labels]]

    def make(label: int) -> DependencyCycle:
        return DependencyCycle.of(history, cycles.smallest(label, beyond=Sort.COMMUTING))

    return Lazy(found, make)
