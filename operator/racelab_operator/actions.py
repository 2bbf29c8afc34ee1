"""What a platform can be asked to do. Each may be done twice without harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from racelab_operator.steps import Step


@dataclass(frozen=True, slots=True)
class Scale:
    """Run the bank on this many replicas."""

    replicas: int


@dataclass(frozen=True, slots=True)
class OpenRun:
    """Open the run of a step, with its fresh accounts."""

    step: Step
    key: str


@dataclass(frozen=True, slots=True)
class StartLoad:
    """Start every generator of a step that is not there.

    Whoever acts looks at the run's gate first, and starts nothing unless it is still `waiting`: so a load whose
    generators have gone since they were observed never sends its requests twice.
    """

    step: Step
    key: str


@dataclass(frozen=True, slots=True)
class StopLoad:
    """Ask the generators of a step to end; they upload what they have."""

    step: Step
    key: str


@dataclass(frozen=True, slots=True)
class ReportLost:
    """Tell the auditor that a generator's history will never come."""

    key: str
    generator: int
    reason: str


@dataclass(frozen=True, slots=True)
class CloseRun:
    """Close a run: nothing is written on its accounts any more."""

    key: str


@dataclass(frozen=True, slots=True)
class Restore:
    """Give the target back the replicas that it had before the experiment."""

    replicas: int


Action = Scale | OpenRun | StartLoad | StopLoad | ReportLost | CloseRun | Restore
