"""The body on this machine: the local lab and its auditor, as the brain sees and moves them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from racelab_operator import actions
from racelab_operator.auditor import AuditorError, AuditorUnreachableError
from racelab_operator.load_arguments import LoadAddresses, load_arguments
from racelab_operator.observed import Load, Observed
from racelab_operator.platforms.auditor_side import AuditorSide
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.steps import load_name, run_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_operator.auditor import Auditor
    from racelab_operator.platforms.local.lab import LocalLab
    from racelab_operator.status import Status
    from racelab_operator.steps import Experiment, Step

# Without these no step can go on; a replica of the bank is started again by the lab.
ESSENTIAL: Final = frozenset({"postgresql", "edge", "auditor"})
LONGEST_REASON: Final = 400


class LocalPlatform:
    """Performs experiments on a lab that has been started; nothing has to be given back afterwards.

    `live`: whether somebody watches, so that audits are worth their cost while a load runs.
    """

    def __init__(
        self, lab: LocalLab, auditor: Auditor, *, live: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._lab = lab
        self._auditor = AuditorSide(auditor, clock=clock)
        self._is_live = live
        self._clock = clock
        self._replicas_wanted: int | None = None
        self._failure: str | None = None

    def observe(self, experiment: Experiment, status: Status) -> Observed:
        """Look at what the current stage needs, and no more: the load has this machine for itself."""
        at = self._clock()
        failure = self._failure or self._dead_process()
        step = experiment.steps[status.step]
        if failure is not None or status.stage in {"spec", "replicas", "report"}:
            ready = self._ready() if failure is None and status.stage == "replicas" else ()
            loads = self._loads(experiment, step) if status.stage == "report" else ()
            return Observed(at, status.step, self._replicas_wanted, ready, loads=loads, failure=failure)
        loads = self._loads(experiment, step)
        working = status.stage == "load" and any(load.phase == "running" for load in loads)
        key, final = run_key(experiment, step), status.stage == "audit"
        answer = self._auditor.ask(key, working=working, final=final, live=self._is_live)
        self._failure = answer.failure
        return Observed(
            at,
            status.step,
            self._replicas_wanted,
            run=answer.run,
            loads=loads,
            audit=answer.audit,
            auditor_error=answer.unreachable,
            failure=self._failure,
        )

    def act(self, experiment: Experiment, action: actions.Action) -> None:
        """Do one thing; a refusal ends the experiment, since nothing else would change."""
        try:
            self._do(experiment, action)
        except AuditorUnreachableError:
            pass  # seen again, and waited for, in the next look
        except (AuditorError, LabError) as error:
            self._failure = str(error)

    def _do(self, experiment: Experiment, action: actions.Action) -> None:
        match action:
            case actions.Scale(replicas) | actions.Restore(replicas):
                self._replicas_wanted = replicas
                self._lab.scale(replicas)
            case actions.StartLoad(step, key):
                if self._auditor.gate_waits(key):
                    for generator in range(step.load.generators):
                        name = _generator_name(experiment, step, generator)
                        self._lab.start_load(name, self._load_arguments(step, key, generator))
            case actions.StopLoad(step):
                for generator in range(step.load.generators):
                    self._lab.stop_load(_generator_name(experiment, step, generator))
            case _:
                self._auditor.act(experiment, action)

    def _dead_process(self) -> str | None:
        dead = self._lab.failed_processes()
        reasons = [f"{name} died: {_one_line(reason)}" for name, reason in sorted(dead.items()) if name in ESSENTIAL]
        return "; ".join(reasons) or None

    def _ready(self) -> tuple[str, ...]:
        try:
            return self._lab.ready_replicas()
        except LabError as error:
            self._failure = str(error)
            return ()

    def _loads(self, experiment: Experiment, step: Step) -> tuple[Load, ...]:
        states = (
            self._lab.load_state(_generator_name(experiment, step, generator))
            for generator in range(step.load.generators)
        )
        return tuple(Load(state.state, _one_line(state.reason)) for state in states)

    def _load_arguments(self, step: Step, key: str, generator: int) -> list[str]:
        addresses = self._lab.addresses
        where = LoadAddresses(addresses.https_url, str(addresses.ca_file), addresses.auditor_url)
        return load_arguments(step, key, generator, where)


def _generator_name(experiment: Experiment, step: Step, generator: int) -> str:
    return f"{load_name(experiment, step)}-{generator}"


def _one_line(words: str) -> str:
    """Put a process's last words on one line of a bearable length."""
    line = "; ".join(part.strip() for part in words.splitlines() if part.strip())
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}…"
