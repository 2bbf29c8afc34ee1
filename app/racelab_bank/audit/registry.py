"""What a detector is, what it yields, and where all of them are found: one file each in `detectors/`.

A detector's module docstring tells its rule and its source. A module may hold more than one where two rules share one
idea. Adding a file adds a detector.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import islice
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry

#: How many entries of one anomaly are listed; a stale writer can overwrite thousands.
LISTED_ENTRIES = 20


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that cannot happen in any serial execution, with what proves it. `kind` names it."""

    kind: ClassVar[str]
    account: int | None

    @property
    @abstractmethod
    def entries(self) -> Sequence[Entry]:
        """The entries involved, the one that it is about first."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """What happened, in one sentence."""

    @property
    def operations(self) -> tuple[str, ...]:
        """The keys of the operations involved, each once, at most `LISTED_ENTRIES`."""
        return tuple(dict.fromkeys(entry.operation for entry in islice(self.entries, LISTED_ENTRIES)))

    def to_json(self) -> dict[str, Any]:
        """Return it as the auditor lists it; `entry_count` is how many entries there are, also beyond those listed."""
        return {
            "kind": self.kind,
            "account": self.account,
            "operations": list(self.operations),
            "entries": [str(entry.id) for entry in islice(self.entries, LISTED_ENTRIES)],
            "entry_count": len(self.entries),
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True)
class Detector:
    """A named rule: a function from a history to the anomalies of one kind in it.

    `noun` is how one finding is called. `final_only` rules would cry wolf while writes are on their way. A rule that is
    not `decisive` explains what another one counts, and is not counted again.
    """

    kind: str
    noun: str
    find: Callable[[History], Sequence[Anomaly]]
    final_only: bool
    decisive: bool

    def found(self, history: History) -> Sequence[Anomaly]:
        """Return what it finds in a history, which is looked for once: it is counted, listed and drawn."""
        if self.kind not in history.findings:
            history.findings[self.kind] = self.find(history)
        return history.findings[self.kind]


def detector(
    anomaly: type[Anomaly], noun: str, *, final_only: bool = False, decisive: bool = True
) -> Callable[[Callable[[History], Sequence[Anomaly]]], Detector]:
    """Make a function the detector of one kind of `anomaly`; see `Detector`."""

    def make(find: Callable[[History], Sequence[Anomaly]]) -> Detector:
        return Detector(anomaly.kind, noun, find, final_only, decisive)

    return make


@cache
def detectors() -> tuple[Detector, ...]:
    """Return every detector of every module in `detectors/`, in order of kinds. Raises `TypeError` for an empty one."""
    package = import_module("racelab_bank.audit.detectors")
    found: list[Detector] = []
    for name in (module.name for module in iter_modules(package.__path__)):
        module = import_module(f"{package.__name__}.{name}")
        here = [value for value in vars(module).values() if isinstance(value, Detector)]
        if not here:
            raise TypeError(f"audit/detectors/{name}.py must define at least one @detector(…) function")
        found += here
    return tuple(sorted(found, key=lambda one: one.kind))
