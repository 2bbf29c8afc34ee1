"""One thread that looks after all experiments: deletes those whose time is over, counts them, watches that all turn."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from racelab_operator.platforms.kubernetes.errors import ClusterError
from racelab_operator.platforms.kubernetes.metrics import EXPIRED, STANDINGS, Standing, count_experiments

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_operator.platforms.kubernetes.cluster import Cluster
    from racelab_operator.platforms.kubernetes.health import Health
    from racelab_operator.platforms.kubernetes.reconciling import Reconciler

SWEEP_SECONDS: Final = 2
SWEEP: Final = "the sweep"
LOOP: Final = "the event loop"
PARTS: Final = (SWEEP, LOOP)

_log = logging.getLogger("racelab.operator")

Race = dict[str, Any]


class Sweeper:
    """Sweeps until `stop`."""

    def __init__(
        self, cluster: Cluster, reconciler: Reconciler, health: Health, clock: Callable[[], float] = time.time
    ) -> None:
        self._cluster = cluster
        self._reconciler = reconciler
        self._health = health
        self._clock = clock
        self._stages: dict[str, tuple[str, float]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="racelab-sweep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; waits for a sweep that is under way."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(SWEEP_SECONDS):
            try:
                self.sweep()
            except ClusterError as error:
                _log.warning("the experiments could not be listed: %s", error)
            except Exception:  # noqa: BLE001  the thread must not end
                _log.exception("the sweep failed")
            self._health.turned(SWEEP)

    def sweep(self) -> None:
        """Look at every experiment once."""
        races = self._cluster.races()
        count_experiments(phase_of(race) for race in races)
        STANDINGS.show([self._standing(race) for race in races])
        self._stages = {uid: stage for uid, stage in self._stages.items() if uid in {_uid(race) for race in races}}
        self._health.watch_only((race["metadata"]["uid"] for race in races if is_active(race)), PARTS)
        self._reconciler.forget_all_but({race["metadata"]["uid"] for race in races if phase_of(race) != "Finished"})
        for race in races:
            if has_expired(race, self._clock()):
                self._cluster.delete_race(race["metadata"]["name"], race["metadata"]["uid"])
                EXPIRED.inc()

    def _standing(self, race: Race) -> Standing:
        phase = phase_of(race)
        stage, since_seconds = self._stages.get(_uid(race), (None, 0.0))
        if stage != phase:
            since_seconds = self._clock()
            self._stages[_uid(race)] = (phase, since_seconds)
        since = None if phase == "Finished" else since_seconds
        return Standing(race["metadata"]["name"], phase, since, not_restored(race))


def _uid(race: Race) -> str:
    uid: str = race["metadata"]["uid"]
    return uid


def not_restored(race: Race) -> bool:
    """Whether the bank could not be given its replicas back."""
    conditions = (race.get("status") or {}).get("conditions") or ()
    return any((one["type"], one["status"], one["reason"]) == ("Restored", "False", "Failed") for one in conditions)


def phase_of(race: Race) -> str:
    """Name where an experiment stands."""
    status = race.get("status") or {}
    return "Finished" if status.get("completionTime") else status.get("stage", "spec")


def is_active(race: Race) -> bool:
    """Whether an experiment is to be turned."""
    return not (race.get("status") or {}).get("completionTime") and "deletionTimestamp" not in race["metadata"]


def has_expired(race: Race, now: float) -> bool:
    """Whether a finished experiment has outlived its ttlSecondsAfterFinished; `now`: Unix seconds."""
    completed, ttl = (race.get("status") or {}).get("completionTime"), race["spec"].get("ttlSecondsAfterFinished")
    if completed is None or ttl is None or "deletionTimestamp" in race["metadata"]:
        return False
    over: float = datetime.fromisoformat(completed).timestamp() + ttl
    return now > over
