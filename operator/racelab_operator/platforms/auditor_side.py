"""What every platform sees of a step through the auditor, and does there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from racelab_operator import actions
from racelab_operator.auditor import Auditor, AuditorError, AuditorUnreachableError
from racelab_operator.steps import run_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_operator.observed import Audit, Run
    from racelab_operator.steps import Experiment

LIVE_SECONDS: Final = 0.4


@dataclass(frozen=True, slots=True)
class Answer:
    """A run and its audit, or why the auditor could not be asked, or why asking it is of no use."""

    run: Run | None = None
    audit: Audit | None = None
    unreachable: str | None = None
    failure: str | None = None


class AuditorSide:
    """The part of a platform that is the auditor's. Not for use by several threads."""

    def __init__(self, auditor: Auditor, *, clock: Callable[[], float] = time.time) -> None:
        self._auditor = auditor
        self._clock = clock
        self._asked: tuple[str, float, Answer] | None = None

    def ask(self, key: str, *, working: bool, final: bool, live: bool) -> Answer:
        """Ask for a run and, where it is wanted, its audit: the final one, or the live one while generators work.

        While they work, an answer holds for some tenths of a second: asking costs what the load needs.
        """
        if working and self._asked is not None:
            asked_key, asked_at, answer = self._asked
            if asked_key == key and self._clock() < asked_at + LIVE_SECONDS:
                return answer
        try:
            run = self._auditor.run(key)
            wanted = run is not None and (final or (working and live))
            answer = Answer(run, self._auditor.audit(key) if wanted else None)
        except AuditorUnreachableError as error:
            return Answer(unreachable=str(error))
        except AuditorError as error:
            return Answer(failure=str(error))
        self._asked = (key, self._clock(), answer)
        return answer

    def gate_waits(self, key: str) -> bool:
        """Whether the run is there and its gate was never opened: only then may its generators be started."""
        run = self._auditor.run(key)
        return run is not None and run.gate.state == "waiting"

    def act(self, experiment: Experiment, action: actions.Action) -> None:
        """Do what is done at the auditor; actions that are not are left alone.

        Raises:
            AuditorUnreachableError: it did not answer; the next look shows what is still to be done.
            AuditorError: it said no.

        """
        match action:
            case actions.OpenRun(step, key):
                self._auditor.open_run(step, key, run_labels(experiment, step))
            case actions.ReportLost(key, generator, reason):
                self._auditor.report_lost(key, generator, reason)
            case actions.CloseRun(key):
                self._auditor.close_run(key)
            case _:
                pass
