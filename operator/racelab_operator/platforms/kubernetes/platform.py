"""The body on a cluster, as the brain sees and moves it: a Deployment, a Job per load, the auditor's Service."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from racelab_operator import actions
from racelab_operator.auditor import Auditor, AuditorError, AuditorUnreachableError
from racelab_operator.observed import ABSENT, Load, Observed
from racelab_operator.platforms.auditor_side import AuditorSide
from racelab_operator.platforms.kubernetes.errors import ChangedError, ClusterRefusedError, ClusterUnreachableError
from racelab_operator.platforms.kubernetes.job import load_job
from racelab_operator.platforms.kubernetes.pods import loads_of, ready_pods
from racelab_operator.platforms.kubernetes.queue import behind
from racelab_operator.steps import load_name, run_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_operator.platforms.kubernetes.cluster import Cluster
    from racelab_operator.platforms.kubernetes.edge import EdgeProbe
    from racelab_operator.platforms.kubernetes.settings import Settings
    from racelab_operator.status import Status
    from racelab_operator.steps import Experiment, Step

# While a load runs, an autoscaler is looked for this often: every look costs the API server what the load needs.
AUTOSCALER_SECONDS: Final = 2


class KubernetesPlatform:
    """Performs one experiment. Not for use by several threads.

    `observe` raises ClusterUnreachableError: what cannot be seen cannot be decided on.
    """

    def __init__(
        self,
        cluster: Cluster,
        settings: Settings,
        auditor: Auditor,
        edge: EdgeProbe,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._auditor = AuditorSide(auditor, clock=clock)
        self._edge = edge
        self._clock = clock
        self._failure: str | None = None
        self._autoscaler_seen: tuple[float, str | None] | None = None

    def observe(self, experiment: Experiment, status: Status) -> Observed:
        """Look at what the current stage needs, and no more."""
        seen = Observed(self._clock(), status.step, failure=self._failure)
        try:
            match status.stage:
                case "spec":
                    return self._bank(replace(seen, queued_behind=behind(experiment.name, self._cluster.races())))
                case "replicas":
                    return self._replicas(experiment.steps[status.step], self._bank(seen))
                case "report":
                    seen = replace(seen, loads=self._loads(experiment, experiment.steps[status.step]))
                    return self._with_scale(seen)
                case stage:
                    return self._step(experiment, experiment.steps[status.step], stage, seen)
        except ClusterRefusedError as error:
            self._failure = str(error)
            return replace(seen, failure=self._failure)

    def _bank(self, seen: Observed) -> Observed:
        return replace(self._with_scale(seen), autoscaler=self._autoscaler())

    def _with_scale(self, seen: Observed) -> Observed:
        target = self._settings.target
        replicas = self._cluster.scale(target)
        if replicas is None:
            return replace(seen, missing_target=f"Deployment {target}, which is not there")
        return replace(seen, replicas_wanted=replicas)

    def _autoscaler(self) -> str | None:
        for autoscaler in self._cluster.autoscalers():
            target = autoscaler["spec"]["scaleTargetRef"]
            if (target.get("kind"), target.get("name")) == ("Deployment", self._settings.target):
                return f"HorizontalPodAutoscaler {autoscaler['metadata']['name']}"
        return None

    def _replicas(self, step: Step, seen: Observed) -> Observed:
        """See which replicas are ready: those that the kubelet says so of and that requests through the edge reach."""
        if seen.replicas_wanted != step.replicas:
            return seen
        ready = ready_pods(self._cluster.pods(self._settings.pod_selector))
        if len(ready) != step.replicas:
            return replace(seen, ready_replicas=tuple(sorted(ready)))
        answering = self._edge.replicas(step.replicas)
        # One that was taken away may answer for a moment: it counts as one too many.
        reached = answering if answering - ready else answering & ready
        return replace(seen, ready_replicas=tuple(sorted(reached)))

    def _step(self, experiment: Experiment, step: Step, stage: str, seen: Observed) -> Observed:
        loads = self._loads(experiment, step) if stage == "load" else (ABSENT,) * step.load.generators
        working = any(load.phase == "running" for load in loads)
        answer = self._auditor.ask(run_key(experiment, step), working=working, final=stage == "audit", live=False)
        self._failure = self._failure or answer.failure
        return replace(
            seen,
            loads=loads,
            run=answer.run,
            audit=answer.audit,
            auditor_error=answer.unreachable,
            failure=self._failure,
            autoscaler=self._autoscaler_now_and_then() if stage == "load" else None,
        )

    def _autoscaler_now_and_then(self) -> str | None:
        now = self._clock()
        if self._autoscaler_seen is None or not 0 <= now - self._autoscaler_seen[0] < AUTOSCALER_SECONDS:
            self._autoscaler_seen = (now, self._autoscaler())
        return self._autoscaler_seen[1]

    def _loads(self, experiment: Experiment, step: Step) -> tuple[Load, ...]:
        name = load_name(experiment, step)
        job = self._cluster.job(name)
        if job is not None and not _belongs_to(job, experiment):
            self._failure = f"Job {name} is there and belongs to somebody else: delete it"
            job = None
        pods = [] if job is None else self._cluster.pods(f"batch.kubernetes.io/controller-uid={job['metadata']['uid']}")
        return loads_of(job, pods, step.load.generators)

    def act(self, experiment: Experiment, action: actions.Action) -> None:
        """Do one thing; a refusal ends the experiment, since nothing else would change."""
        try:
            self._do(experiment, action)
        except (ClusterUnreachableError, AuditorUnreachableError, ChangedError):
            pass  # seen again, and done again, in the next look
        except (ClusterRefusedError, AuditorError) as error:
            self._failure = str(error)

    def _do(self, experiment: Experiment, action: actions.Action) -> None:
        match action:
            case actions.Scale(replicas) | actions.Restore(replicas):
                self._cluster.set_scale(self._settings.target, replicas)
            case actions.StartLoad(step, key):
                if self._auditor.gate_waits(key):
                    self._cluster.create_job(load_job(experiment, step, key, self._settings))
            case actions.StopLoad(step):
                self._cluster.stop_job(load_name(experiment, step))
            case _:
                self._auditor.act(experiment, action)

    def leave(self, experiment: Experiment, status: Status) -> None:
        """Stop the load and give the replicas back, for an experiment that is being deleted.

        Raises ClusterUnreachableError: call it again. A target, or an auditor, that is gone does not matter.
        """
        step = experiment.steps[status.step]
        self._cluster.delete_job(load_name(experiment, step))
        self.give_back(status)
        if status.run_seen:
            try:
                self._auditor.act(experiment, actions.CloseRun(run_key(experiment, step)))
            except AuditorError:
                return  # its last requests stay on an open run, which nobody asks about any more

    def give_back(self, status: Status) -> None:
        """Give the replicas back; a target that is gone does not matter."""
        if status.original_replicas is None or not status.holds_target:
            return
        wanted = self._cluster.scale(self._settings.target)
        if wanted is not None and wanted != status.original_replicas:
            self._cluster.set_scale(self._settings.target, status.original_replicas)


def _belongs_to(job: dict[str, object], experiment: Experiment) -> bool:
    metadata = job["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101  every object has one
    return any(owner.get("uid") == experiment.uid for owner in metadata.get("ownerReferences") or ())
