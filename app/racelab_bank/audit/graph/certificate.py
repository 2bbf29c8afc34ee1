"""The certificate: that a run was serializable, as a serial order which was performed again; or why it was not.

Acyclic: every topological order of the dependencies is an equivalent serial execution. The one that is closest at hand
is the order of installs, each posting at its last one: whoever holds locks until it commits installs in that order.
Where an edge goes the other way, as serializable snapshots allow, the order comes from the graph. It is kept as
differences to the order of installs, so that five million operations in that order take some kilobytes.

Cyclic: no serial order exists. The smallest cycle of each component is the witness.

Source: the serialization theorem, and the graph of direct dependencies, in Adya, Weak Consistency, 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from racelab_bank.audit.graph.dependencies import Kind
from racelab_bank.audit.graph.order import ranks
from racelab_bank.audit.graph.replay import replay
from racelab_bank.audit.graph.telling import told
from racelab_bank.audit.versions import UNKNOWN
from racelab_bank.audit.words import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from racelab_bank.audit.graph.cycles import Cycle, Cycles
    from racelab_bank.audit.graph.dependencies import Edges
    from racelab_bank.audit.history import History

#: How many components are told with their witnesses.
WITNESSES: Final = 5


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is proved of the order of a run's operations.

    `serializable` is None where the ledger does not say enough, for the `reason`, or where there is an order and yet
    what it gives is not what was recorded: a `contradiction`. `order` is the serial order, as `Order.encode` writes it;
    `cycles` counts what cannot be ordered, by the name of its smallest cycle, `witnesses` tell the first.
    """

    serializable: bool | None
    reason: str
    operations: int
    dependencies: Mapping[str, int]
    order: str | None = None
    cycles: Mapping[str, int] | None = None
    operations_on_cycles: int = 0
    witnesses: tuple[Mapping[str, Any], ...] = ()
    contradiction: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in a report."""
        return {
            "serializable": self.serializable,
            "reason": self.reason,
            "operations": self.operations,
            "dependencies": dict(self.dependencies),
            "order": self.order,
            "cycles": None if self.cycles is None else dict(self.cycles),
            "operations_on_cycles": self.operations_on_cycles,
            "witnesses": [dict(one) for one in self.witnesses],
        }


def certify(history: History) -> Certificate:
    """Prove a run serializable, or refute it, in time linear in its rows (sorting apart)."""
    edges, cycles, base = history.dependencies.edges, history.cycles, history.order_of_installs
    nodes = len(history.postings)
    counted = {kind.name.lower(): int((edges.kind == kind).sum()) for kind in Kind}
    if not cycles.components.all_single:
        return _refuted(history, cycles, counted)
    rank = _topological(cycles, edges, base.rank)
    silent = _silent(history)
    if silent is not None:
        return Certificate(None, silent, nodes, counted)
    contradiction = replay(history, rank)
    if contradiction is not None:
        return Certificate(None, contradiction, nodes, counted, contradiction=True)
    reason = f"{count(nodes, 'operation')} performed again one after the other give every recorded balance"
    return Certificate(True, reason, nodes, counted, order=base.encode(np.argsort(rank)))


def _refuted(history: History, cycles: Cycles, counted: Mapping[str, int]) -> Certificate:
    witnesses = [cycles.smallest(label) for label in cycles.labels[:WITNESSES].tolist()]
    components = len(cycles.labels)
    knots = "1 group of them depends" if components == 1 else f"{components} groups of them depend"
    return Certificate(
        False,
        f"no serial order: {knots} on each other in circles",
        len(history.postings),
        counted,
        cycles={name.value: number for name, number in sorted(cycles.count().items())},
        operations_on_cycles=cycles.postings,
        witnesses=tuple(witness(history, one) for one in witnesses),
    )


def witness(history: History, cycle: Cycle) -> dict[str, Any]:
    """Return a cycle as JSON: its name, its operations in order, and what happened in one sentence."""
    first = history.tables.entries.at(history.postings.first[list(cycle.postings)])
    return {
        "name": cycle.name.value,
        "operations": [entry.operation for entry in first],
        "entries": [history.name(entry.id) for entry in first],
        "smallest": cycle.smallest,
        "sentence": told(history, cycle),
    }


def _in_order(edges: Edges, rank: NDArray[np.int64]) -> bool:
    return bool((rank[edges.source] < rank[edges.target]).all())


def _topological(cycles: Cycles, edges: Edges, base: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the ranks of an order that all edges follow.

    The order of installs is tried first. The search for components has finished a node only after all that depends on
    it; which end it counts from is not documented, so both are tried, and a plain topological sort stands behind them.
    """
    label = cycles.components.label.astype(np.int64)
    for rank in (base, label, len(label) - 1 - label):
        if _in_order(edges, rank):
            return rank
    return _sorted(edges, base)


def _sorted(edges: Edges, base: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort topologically, of what may come next always the first by `base`."""
    from graphlib import TopologicalSorter  # noqa: PLC0415 - never needed with the versions that are pinned

    sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(np.argsort(base).tolist(), ()))
    for source, target in zip(edges.source.tolist(), edges.target.tolist(), strict=True):
        sorter.add(target, source)
    return ranks(np.fromiter(sorter.static_order(), np.intp, len(base)))


def _silent(history: History) -> str | None:  # noqa: PLR0911 - a sentence each
    """Say what the ledger does not tell, without which no order can be proved."""
    versions = history.versions
    entries = history.tables.entries
    derived = history.tables.accounts.derived.values
    missing = int((~versions.has_entry & ~derived[versions.account]).sum())
    if missing:
        return f"{count(missing, 'balance')} changed without an entry that tells why"
    if len(versions.lone_entries):
        return f"{count(len(versions.lone_entries), 'entry', 'entries')} never reached a balance"
    half = int((history.postings.legs < entries.leg_count.values[history.postings.first]).sum())
    if half:
        return f"{count(half, 'posting')} of which legs are missing"
    silent = int(derived[versions.entry_account].sum()) - len(history.dependencies.summed[0])
    if silent:
        return f"{count(silent, 'entry does', 'entries do')} not say how many entries had been summed up"
    blind = int(derived[history.dependencies.reads.account].sum())
    if blind:
        return f"{count(blind, 'read')} of an account that keeps no balance, and so has no version to be named"
    dirty = int((history.dependencies.reads.version == UNKNOWN).sum())
    dirty += int((versions.absolute & (versions.parents == UNKNOWN)).sum())
    if dirty:
        return f"{count(dirty, 'read')} of a version that was never installed before"
    return None
