"""Puts events in an order that is possible, and notices where clocks say another one.

What is known for certain are constraints: an operation's own steps, the version order, that a version was there before
it was read. Times decide the rest. A constraint that times contradict is kept, and is told.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Constraint:
    """The event `first` came before the event `second`; `told` is what is said where their times disagree.

    By how much stands between its two parts. Where they are empty, nothing is said.
    """

    first: int
    second: int
    told: tuple[str, str] = ("", "")


def in_order(times: Sequence[int | None], constraints: Sequence[Constraint]) -> list[int]:
    """Return the numbers of the events in order: of those that nothing holds back always the earliest.

    An event without a time comes as soon as it can. Constraints in a circle cannot all be kept: then the earliest event
    comes first.
    """
    waits = [0] * len(times)
    followers: list[list[int]] = [[] for _ in times]
    for one in constraints:
        waits[one.second] += 1
        followers[one.first].append(one.second)
    # What has no time yet gets that of what it had to wait for.
    when = [-1 if time is None else time for time in times]
    ready = [(when[number], number) for number, waiting in enumerate(waits) if not waiting]
    heapq.heapify(ready)
    order: list[int] = []
    left = set(range(len(times)))
    while left:
        if not ready:
            ready = [min((when[number], number) for number in left)]
        _, number = heapq.heappop(ready)
        if number not in left:
            continue
        left.remove(number)
        order.append(number)
        for follower in followers[number]:
            waits[follower] -= 1
            if times[follower] is None:
                when[follower] = max(when[follower], when[number])
            if not waits[follower] and follower in left:
                heapq.heappush(ready, (when[follower], follower))
    return order


def contradicted(
    times: Sequence[int | None], constraints: Sequence[Constraint]
) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield what is to be said where times contradict constraints, each with by how many microseconds."""
    for one in constraints:
        first, second = times[one.first], times[one.second]
        if any(one.told) and first is not None and second is not None and first > second:
            yield one.told, first - second
