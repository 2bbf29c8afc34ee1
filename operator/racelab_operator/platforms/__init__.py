"""The bodies of the brain: where experiments are performed.

A platform sees and acts; it decides nothing. What it does may be repeated at any time without harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from racelab_operator.actions import Action
    from racelab_operator.observed import Observed
    from racelab_operator.status import Status
    from racelab_operator.steps import Experiment


class Platform(Protocol):
    """A place where the bank runs on a number of replicas, with an auditor beside it."""

    def observe(self, experiment: Experiment, status: Status) -> Observed:
        """Look at the step that the status names: the loads first, then their run, so that no history is missed.

        What is broken is part of what is seen: nothing is raised for it.
        """

    def act(self, experiment: Experiment, action: Action) -> None:
        """Do one thing. What fails shows in what is observed next."""
