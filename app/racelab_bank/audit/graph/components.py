"""What cannot be put in any order: strongly connected components, and the cycles of two in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """`label` has one element per node: its component. `count` is how many components there are, also of one node."""

    count: int
    label: NDArray[np.int32]

    @property
    def all_single(self) -> bool:
        """Whether no two nodes depend on each other: there is a serial order."""
        return self.count == len(self.label)

    def within(self, source: NDArray[np.int32], target: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the edges whose two ends are in one component: each of them is on a cycle."""
        return np.flatnonzero(self.label[source] == self.label[target])


def components(source: NDArray[np.int32], target: NDArray[np.int32], nodes: int) -> Components:
    """Find the strongly connected components, in linear time. No edge may lead back to its own source."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - it takes as long as all other imports together
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    graph = csr_array((np.ones(len(source), np.int8), (source, target)), shape=(nodes, nodes))
    count, label = connected_components(graph, directed=True, connection="strong")
    return Components(int(count), label)


@dataclass(frozen=True, slots=True, eq=False)
class Mutual:
    """Pairs of edges, one from each node of a pair to the other: indices of edges, one element per pair of nodes."""

    there: NDArray[np.intp]
    back: NDArray[np.intp]


def mutual(source: NDArray[np.int32], target: NDArray[np.int32]) -> Mutual:
    """Find the cycles of two: for each pair of nodes with edges in both directions the first edge in each.

    `there` leads from the smaller node to the larger one.
    """
    up = source < target
    low, high = np.where(up, source, target).astype(np.int64), np.where(up, target, source)
    # Pairs side by side; in each pair first the edges that lead up, all in their own order.
    order = np.argsort((low * (int(high.max(initial=0)) + 1) + high) * 2 + ~up, kind="stable")
    low, high, up = low[order], high[order], up[order]
    pair = np.ones(len(order), np.bool_)
    pair[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    turn = np.ones(len(order), np.bool_)
    turn[1:] = pair[1:] | (up[1:] != up[:-1])
    begins = np.flatnonzero(turn)
    # A pair with both directions begins a group, and the next group is of the same pair.
    both = np.flatnonzero(pair[begins][:-1] & ~pair[begins][1:]) if len(begins) else begins
    return Mutual(order[begins[both]], order[begins[both + 1]] if len(both) else begins[:0])
