"""One experiment on the cluster, turned until there is something to wait for; and its end when it is deleted."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from racelab_operator.platforms.kubernetes.errors import ChangedError, ClusterError, ClusterUnreachableError
from racelab_operator.platforms.kubernetes.events import event, transitions
from racelab_operator.race_status import RaceStatus
from racelab_operator.reconcile import decide
from racelab_operator.spec import RaceExperiment
from racelab_operator.status_mapping import remembered, told
from racelab_operator.steps import Experiment, expand

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_operator.platforms.kubernetes.cluster import Cluster
    from racelab_operator.platforms.kubernetes.platform import KubernetesPlatform
    from racelab_operator.status import Status

# Who holds for something that may take any time looks less often: a long queue must not wear out the API server.
HOLD_SECONDS: Final = 1.0
LONGEST_TURN_SECONDS: Final = 20

_log = logging.getLogger("racelab.operator")

Race = dict[str, Any]


@dataclass
class _Place:
    """What is kept of an experiment between two turns: nothing that a restart could not do without."""

    platform: KubernetesPlatform
    lock: threading.Lock = field(default_factory=threading.Lock)
    not_before: float = 0.0


class Reconciler:
    """Turns experiments. For use by several threads: one at a time turns the same experiment."""

    def __init__(
        self, cluster: Cluster, platform: Callable[[], KubernetesPlatform], clock: Callable[[], float] = time.time
    ) -> None:
        self._cluster = cluster
        self._new_platform = platform
        self._clock = clock
        self._lock = threading.Lock()
        # Taking the bank: two experiments must not both find it free.
        self._admission = threading.Lock()
        self._places: dict[str, _Place] = {}

    def turn(self, name: str, uid: str) -> None:
        """Observe, decide, store, act, until there is something to wait for.

        Raises ClusterUnreachableError and ClusterRefusedError: nothing is lost, the next turn looks again.
        """
        place = self._place(uid)
        with place.lock:
            if time.monotonic() < place.not_before:
                return
            until = time.monotonic() + LONGEST_TURN_SECONDS
            try:
                while self._turn_once(name, uid, place) and time.monotonic() < until:
                    pass
            except ChangedError:
                return  # somebody edited it in between: the next turn sees how

    def _turn_once(self, name: str, uid: str, place: _Place) -> bool:
        """Make one decision; whether there may be more to do at once."""
        race = self._active(name, uid)
        if race is None:
            return False
        before = RaceStatus.model_validate(race.get("status") or {})
        try:
            experiment = _experiment(race)
        except ValidationError as error:
            place.platform.give_back(remembered(before))
            self._refuse(race, before, error)
            return False
        status = remembered(before)
        if status.stage != "spec":
            return self._decide(race, experiment, before, status, place)
        with self._admission:
            return self._decide(race, experiment, before, status, place)

    def _decide(self, race: Race, experiment: Experiment, before: RaceStatus, status: Status, place: _Place) -> bool:
        observed = place.platform.observe(experiment, status)
        now = self._clock()
        decision = decide(experiment, status, observed, now)
        self._store(race, before, told(experiment, decision.status, before, race["metadata"]["generation"], now))
        for action in decision.actions:
            # An experiment that is deleted or edited meanwhile gets no more of what was decided before.
            if self._active(experiment.name, experiment.uid) is None:
                return False
            place.platform.act(experiment, action)
        if decision.status.hold is not None:
            place.not_before = time.monotonic() + HOLD_SECONDS
        went_on = (decision.status.stage, decision.status.step) != (status.stage, status.step)
        return (bool(decision.actions) or went_on) and not decision.status.finished

    def _active(self, name: str, uid: str) -> Race | None:
        """Get the experiment while it is to be performed: there, not being deleted, not finished."""
        race = self._cluster.race(name)
        if race is None or race["metadata"]["uid"] != uid or "deletionTimestamp" in race["metadata"]:
            return None
        return None if (race.get("status") or {}).get("completionTime") else race

    def _store(self, race: Race, before: RaceStatus, after: RaceStatus) -> None:
        """Store a status that has changed, and tell of its transitions."""
        if after == before:
            return
        self._cluster.store_status(race, after.model_dump(mode="json", by_alias=True, exclude_none=True))
        for transition in transitions(before, after):
            try:
                self._cluster.create_event(event(race, transition, self._clock()))
            except ClusterError as error:
                _log.warning("an event of %s could not be told: %s", race["metadata"]["name"], error)

    def _refuse(self, race: Race, before: RaceStatus, error: ValidationError) -> None:
        """End an experiment that this version cannot read: its CRD is another one's."""
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{where}: {first['msg']}: this operator does not know it, upgrade the chart"
        ended = datetime.fromtimestamp(int(self._clock()), UTC)
        changes = {"completion_time": ended, "verdict": "Unknown", "message": message, "stage": "report"}
        self._store(race, before, before.model_copy(update=changes))

    def end(self, name: str, uid: str) -> None:
        """Give back what an experiment has, before it is deleted.

        Raises ClusterUnreachableError: call it again.
        """
        place = self._place(uid)
        with place.lock:
            race = self._cluster.race(name)
            if race is not None and race["metadata"]["uid"] == uid:
                status = remembered(RaceStatus.model_validate(race.get("status") or {}))
                if not status.finished and status.holds_target:
                    self._leave(race, status, place.platform)
        self.forget(uid)

    def _leave(self, race: Race, status: Status, platform: KubernetesPlatform) -> None:
        try:
            platform.leave(_experiment(race), status)
        except ClusterUnreachableError:
            raise
        except (ClusterError, ValidationError):
            _log.exception("%s is deleted without having given everything back", race["metadata"]["name"])

    def forget(self, uid: str) -> None:
        """Drop what is kept of an experiment that has ended."""
        with self._lock:
            self._places.pop(uid, None)

    def forget_all_but(self, uids: set[str]) -> None:
        """Drop what is kept of every experiment but these."""
        with self._lock:
            kept = {uid: place for uid, place in self._places.items() if uid in uids or place.lock.locked()}
            self._places = kept

    def _place(self, uid: str) -> _Place:
        with self._lock:
            if uid not in self._places:
                self._places[uid] = _Place(self._new_platform())
            return self._places[uid]


def _experiment(race: Race) -> Experiment:
    """Read an experiment from its object."""
    document = {key: race[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    return expand(RaceExperiment.model_validate(document), race["metadata"]["uid"])
