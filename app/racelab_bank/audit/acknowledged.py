"""What generators had been told by when: which version of an account was acknowledged before a request was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from racelab_bank.audit.columns import everything
from racelab_bank.audit.heads import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.history import History

_NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Per posting its `generator`, `NONE` without one, when it was first sent (`begin_of`) and acknowledged (`end_of`).

    Times are Unix microseconds on the generator's clock.
    """

    history: History
    generator: NDArray[np.int64]
    begin_of: NDArray[np.int64]
    end_of: NDArray[np.int64]

    @classmethod
    def of(cls, history: History) -> Told:
        """Match operations with postings: by the entry that was named, or by a key that was applied once."""
        operations, postings = history.tables.operations, history.postings
        posting = _postings_of_operations(history)
        there = posting != NONE
        generator = np.full(len(postings), NONE, np.int64)
        begin, end = np.full(len(postings), _NEVER), np.full(len(postings), _NEVER)
        generator[posting[there]] = operations.generator.values[there]
        np.minimum.at(begin, posting[there], operations.begin_microseconds.values[there])
        acknowledged = there & operations.type.where("ok")
        np.minimum.at(end, posting[acknowledged], operations.end_microseconds.values[acknowledged])
        return cls(history, generator, begin, end)

    def newest_before(self, posting: NDArray[np.int32], account: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return, for each posting and an account, the newest version acknowledged to its generator before it was sent.

        `NONE` where there is none.
        """
        versions, writer = self.history.versions, self.history.dependencies.writer
        known = np.flatnonzero(writer != NONE)
        known = known[self.end_of[writer[known]] != _NEVER]
        by = writer[known]
        accounts = len(versions.starts)
        place = (self.generator[by] + 1) * accounts + versions.account[known]
        asked = (self.generator[posting] + 1) * accounts + account
        ends, begins = _timed(place, self.end_of[by], asked, self.begin_of[posting])
        order = np.argsort(ends, kind="stable")
        # Within a place the newest so far; a place's numbers are all above those of the places before it.
        wide = np.int64(len(versions) + 1)
        newest = np.maximum.accumulate(place[order] * wide + known[order])
        at = np.searchsorted(ends[order], begins) - 1
        found = newest[np.maximum(at, 0)] if len(newest) else np.full(len(at), NONE)
        mine = (at >= 0) & (self.generator[posting] != NONE)
        mine &= (found // wide == asked) if len(newest) else False
        return np.where(mine, found % wide, NONE)


def _timed(
    place: NDArray[np.int64], end: NDArray[np.int64], asked: NDArray[np.int64], begin: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers that are in the order of places and, within one, of times: of the ends, and of the begins."""
    times = np.concatenate([end, begin[begin != _NEVER]])
    earliest, latest = int(times.min(initial=0)), int(times.max(initial=0))
    wide = latest - earliest + 2
    most = int(max(place.max(initial=0), asked.max(initial=0))) + 1
    if most * wide < _NEVER:
        begins = np.where(begin == _NEVER, wide - 1, begin - earliest)
        return place * wide + (end - earliest), asked * wide + begins
    times = np.sort(times)
    count = len(times) + 1
    return place * count + np.searchsorted(times, end), asked * count + np.searchsorted(times, begin)


def _postings_of_operations(history: History) -> NDArray[np.int32]:
    """Return each operation's posting, `NONE` where that cannot be said."""
    postings, keys = history.postings, history.keys
    if not len(postings):
        return postings.of_operation
    attempts = np.bincount(keys.of_entry[postings.first], minlength=keys.count)
    first = keys.first_entry[keys.of_operation]
    once = (first >= 0) & (attempts[keys.of_operation] == 1) & ~everything(history.tables.operations.entry)
    return np.where(once, postings.of_entry[first], postings.of_operation)
