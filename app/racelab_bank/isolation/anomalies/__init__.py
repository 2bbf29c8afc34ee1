"""Hermitage's anomalies. One file each; adding a file adds an anomaly.

An anomaly is a function that says of an observation whether it shows, decorated with its script and with what
PostgreSQL is expected to do. Expectations are compared with what was observed, and never used for performing it:

    @anomaly("G1a", "aborted read", script=script(…), expected=expected(…))
    def g1a(observed: Observation) -> bool: ...
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TypeAlias

from racelab_bank import registry
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Outcome, Outcomes, Shown, how_prevented
from racelab_bank.isolation.script import LEVELS, Script

#: Whether the anomaly is in what was observed. Pure.
Shows: TypeAlias = Callable[[Observation], bool]


@dataclass(frozen=True, slots=True)
class IsolationAnomaly:
    """An anomaly of isolation: `symbol` as in the literature, the same for its variants; `title` in words.

    `strategies`: those of the bank's, by name, that fall to it.
    """

    name: str
    symbol: str
    title: str
    script: Script
    shows: Shows
    expected: Outcomes
    strategies: tuple[str, ...]

    def outcome(self, observation: Observation) -> Outcome:
        """Judge what was observed."""
        return Shown if self.shows(observation) else how_prevented(observation)

    @property
    def told(self) -> str:
        """Its module's docstring up to the script: what it is, where it comes from, where Django meets it."""
        text, _, _ = (import_module(self.shows.__module__).__doc__ or "").partition("\n\n    -- ")
        return text.strip()

    @property
    def shows_at(self) -> tuple[str, ...]:
        """The levels at which it is expected to show."""
        return tuple(level for level in LEVELS if self.expected[level] == Shown)


def anomaly(
    symbol: str, title: str, *, script: Script, expected: Outcomes, strategies: tuple[str, ...] = ()
) -> Callable[[Shows], IsolationAnomaly]:
    """Make an anomaly of a function that judges an observation; see `IsolationAnomaly`."""

    def decorate(function: Shows) -> IsolationAnomaly:
        return IsolationAnomaly(function.__name__, symbol, title, script, function, expected, strategies)

    return decorate


@cache
def anomalies() -> Mapping[str, IsolationAnomaly]:
    """Return all anomalies by name: first those that every level prevents, last those that only the strongest does."""
    found = registry.find(sys.modules[__name__], IsolationAnomaly)

    def rank(one: IsolationAnomaly) -> tuple[int, str, str]:
        return max((LEVELS.index(level) for level in one.shows_at), default=0), one.symbol, one.name

    return MappingProxyType({one.name: one for one in sorted(found.values(), key=rank)})
