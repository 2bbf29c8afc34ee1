"""Cycles: what kind of anomaly a cycle of dependencies is, and the smallest one of a component.

Cycles of two are found and classified for all components at once. A component without one is searched breadth first,
from each of its edges, until so many edges have been looked at: then the smallest cycle found so far is taken.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from racelab_bank.audit.graph.components import Components, components, mutual
from racelab_bank.audit.graph.dependencies import Edges, Kind, Sort
from racelab_bank.audit.interning import first_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: How many edges are looked at for one component's smallest cycle, once each of its edges cannot be tried.
_PATIENCE: Final = 200_000


class Name(StrEnum):
    """What a cycle is called, by the field's terms."""

    LOST_UPDATE = "lost_update"
    WRITE_SKEW = "write_skew"
    READ_SKEW = "read_skew"
    CIRCULAR_FLOW = "circular_information_flow"
    DUPLICATE = "duplicate"
    STALE_GUARD = "stale_guard"
    INTERLEAVED_ADDITIONS = "interleaved_additions"
    LONGER = "longer_cycle"


#: Cycles that do no harm by themselves: sums come out right, and whether a floor was broken is judged by the balance.
HARMLESS: Final = frozenset({Name.STALE_GUARD, Name.INTERLEAVED_ADDITIONS})

_NAMES: Final = tuple(Name)


@dataclass(frozen=True, slots=True)
class Step:
    """One edge of a cycle; see `Edges`."""

    source: int
    target: int
    kind: Kind
    sort: Sort
    account: int
    version: int


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle, its steps in order. `smallest`: no cycle of its component is shorter."""

    name: Name
    steps: tuple[Step, ...]
    smallest: bool = True

    @property
    def postings(self) -> tuple[int, ...]:
        """The postings on it, in order."""
        return tuple(step.source for step in self.steps)


class Cycles:
    """What cannot be ordered among `nodes` postings with these edges.

    `rank` is an order of the postings that most edges are expected to follow: if all do, there is nothing to search
    for. Postings are looked at in that order, so that what is found does not depend on the order of rows.
    """

    def __init__(self, edges: Edges, nodes: int, rank: NDArray[np.int64]) -> None:
        self._rank = rank.astype(np.int32)
        source, target = self._rank[edges.source], self._rank[edges.target]
        if bool((source < target).all()):
            self.components = Components(nodes, self._rank)
        else:
            found = components(source, target, nodes)
            self.components = Components(found.count, found.label[self._rank])
        inside = self.components.within(edges.source, edges.target)
        #: The edges that are on cycles.
        self.edges = edges.where(inside)
        self._label = self.components.label[self.edges.source]

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """The components of more than one posting, in the order of their first edges."""
        first = first_rows(self._label, self.components.count)
        found = np.flatnonzero(first >= 0)
        return found[np.argsort(first[found], kind="stable")]

    @property
    def postings(self) -> int:
        """How many postings are on cycles."""
        sizes = np.bincount(self.components.label, minlength=self.components.count)
        return int(sizes[self.labels].sum())

    @cached_property
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int8], NDArray[np.int32]]:
        """The cycles of two: two edges each, the number of their `Name`, and their component."""
        found = mutual(self._rank[self.edges.source], self._rank[self.edges.target])
        names = _names_of_pairs(self.edges.where(found.there), self.edges.where(found.back))
        return found.there, found.back, names, self._label[found.there]

    def all_of(self, sort: Sort) -> NDArray[np.bool_]:
        """Return, per component, whether all of its edges are of one sort."""
        all_of = np.ones(self.components.count, np.bool_)
        all_of[self._label[self.edges.sort != sort]] = False
        return all_of

    def with_pairs_of(self, names: frozenset[Name]) -> NDArray[np.bool_]:
        """Return, per component, whether it has a cycle of two of such a name."""
        _, _, found, label = self.pairs
        having = np.zeros(self.components.count, np.bool_)
        for number, name in enumerate(_NAMES):
            if name in names:
                having[label[found == number]] = True
        return having

    def count(self) -> Mapping[Name, int]:
        """Count components by what their smallest cycle is called."""
        counted: dict[Name, int] = defaultdict(int)
        _, _, names, label = self.pairs
        first = first_rows(label, self.components.count)[self.labels]
        by_name = np.full(len(first), -1, np.int8)
        by_name[first >= 0] = names[first[first >= 0]]
        for number, count in enumerate(np.bincount(by_name[by_name >= 0], minlength=len(_NAMES)).tolist()):
            if count:
                counted[_NAMES[number]] += count
        for without in self.labels[by_name < 0].tolist():
            counted[self.smallest(without).name] += 1
        return dict(counted)

    def smallest(self, label: int, *, beyond: Sort | None = None) -> Cycle:
        """Return the smallest cycle of a component; one with an edge that is not of the sort `beyond`, if given."""
        there, back, _, _ = self.pairs
        for pair in self._pairs_of.of(label).tolist():
            steps = (_step(self.edges, int(there[pair])), _step(self.edges, int(back[pair])))
            if beyond is None or any(step.sort != beyond for step in steps):
                return named(steps)
        return _search(self.edges.where(self._edges_of.of(label)), beyond)

    @cached_property
    def _edges_of(self) -> _ByLabel:
        return _ByLabel(self._label, self.components.count)

    @cached_property
    def _pairs_of(self) -> _ByLabel:
        return _ByLabel(self.pairs[3], self.components.count)


class _ByLabel:
    """What belongs to each component, in its own order: there may be as many components as there is to look up."""

    def __init__(self, label: NDArray[np.int32], count: int) -> None:
        self._order = np.argsort(label, kind="stable")
        self._starts = np.searchsorted(label[self._order], np.arange(count + 1))

    def of(self, label: int) -> NDArray[np.intp]:
        return self._order[self._starts[label] : self._starts[label + 1]]


def _names_of_pairs(there: Edges, back: Edges) -> NDArray[np.int8]:
    """Return the number of the `Name` of each cycle of two."""

    def any_(sort: Sort) -> NDArray[np.bool_]:
        return (there.sort == sort) | (back.sort == sort)

    rw = (there.kind == Kind.RW).astype(np.int8) + (back.kind == Kind.RW)
    commuting = (there.sort == Sort.COMMUTING) & (back.sort == Sort.COMMUTING)
    # The first that holds counts.
    rules = (
        (any_(Sort.PREDICATE), Name.DUPLICATE),
        (commuting, Name.INTERLEAVED_ADDITIONS),
        (any_(Sort.STALE), Name.LOST_UPDATE),
        (any_(Sort.GUARD), Name.STALE_GUARD),
        (rw == 2, Name.WRITE_SKEW),
        (rw == 1, Name.READ_SKEW),
    )
    numbers = [_NAMES.index(name) for _, name in rules]
    chosen = np.select([holds for holds, _ in rules], numbers, _NAMES.index(Name.CIRCULAR_FLOW))
    return chosen.astype(np.int8)


def name_of_pairs(there: Edges, back: Edges, name: Name) -> NDArray[np.bool_]:
    """Return which cycles of two have this name."""
    return _names_of_pairs(there, back) == _NAMES.index(name)


def steps_of_pair(edges: Edges, there: int, back: int) -> Cycle:
    """Return the cycle of two edges."""
    return named((_step(edges, there), _step(edges, back)))


def named(steps: tuple[Step, ...], *, smallest: bool = True) -> Cycle:
    """Classify a cycle, and begin it where it is best told: with who had read something, or else as it is."""
    begin = next((number for number, step in enumerate(steps) if step.kind == Kind.RW), 0)
    turned = steps[begin:] + steps[:begin]
    if len(steps) == 2:
        edges = [Edges(*(np.array([getattr(step, name)]) for name in Edges.__slots__)) for step in steps]
        return Cycle(_NAMES[int(_names_of_pairs(*edges)[0])], turned, smallest)
    sorts = {step.sort for step in steps}
    if sorts == {Sort.COMMUTING}:
        return Cycle(Name.INTERLEAVED_ADDITIONS, turned, smallest)
    if all(step.kind != Kind.RW for step in steps):
        return Cycle(Name.CIRCULAR_FLOW, turned, smallest)
    return Cycle(Name.LONGER, turned, smallest)


def _step(edges: Edges, number: int) -> Step:
    return Step(
        int(edges.source[number]),
        int(edges.target[number]),
        Kind(int(edges.kind[number])),
        Sort(int(edges.sort[number])),
        int(edges.account[number]),
        int(edges.version[number]),
    )


def _search(edges: Edges, beyond: Sort | None) -> Cycle:
    """Find the smallest cycle through one of the edges of a component."""
    sources, targets = edges.source.tolist(), edges.target.tolist()
    ways: dict[int, list[int]] = defaultdict(list)
    for number, source in enumerate(sources):
        ways[source].append(number)
    tried = [number for number in range(len(edges)) if beyond is None or edges.sort[number] != beyond]
    best: list[int] | None = None
    looked = 0
    for number in tried:
        if best is not None and looked > _PATIENCE:
            break
        path, steps = _way_back(ways, targets, number, sources[number], None if best is None else len(best) - 2)
        looked += steps
        if path is not None:
            best = [number, *path]
            if len(best) == 2:
                break
    assert best is not None  # noqa: S101 - every edge within a component is on a cycle
    return named(tuple(_step(edges, number) for number in best), smallest=looked <= _PATIENCE)


def _way_back(
    ways: Mapping[int, Sequence[int]], targets: Sequence[int], edge: int, goal: int, longest: int | None
) -> tuple[list[int] | None, int]:
    """Return the shortest way from an edge's end to its beginning, unless it is too long, and the edges looked at."""
    start = targets[edge]
    came_by: dict[int, int] = {start: -1}
    before: dict[int, int] = {}
    queue = deque([(start, 0)])
    looked = 0
    while queue:
        node, depth = queue.popleft()
        if longest is not None and depth >= longest:
            return None, looked
        for way in ways[node]:
            looked += 1
            target = targets[way]
            if target in came_by:
                continue
            came_by[target], before[target] = way, node
            if target == goal:
                return _path(came_by, before, start, goal), looked
            queue.append((target, depth + 1))
    return None, looked


def _path(came_by: Mapping[int, int], before: Mapping[int, int], start: int, goal: int) -> list[int]:
    path, node = [], goal
    while node != start:
        path.append(came_by[node])
        node = before[node]
    return path[::-1]
