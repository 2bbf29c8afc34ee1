"""Before the chart is uninstalled: every experiment ends, and none is left that nobody can delete."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from racelab_operator.platforms.kubernetes.errors import ClusterError
from racelab_operator.platforms.kubernetes.sweeping import is_active

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_operator.platforms.kubernetes.cluster import Cluster

FINALIZER_PREFIX: Final = "racelab.dev/"
PAUSE_SECONDS: Final = 0.5

Race = dict[str, Any]


def release(
    cluster: Cluster,
    seconds: float,
    say: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Abort every experiment, wait so long for the operator to end it, then take our finalizers away.

    It never fails: what the API server does not do is told, and the chart goes all the same.
    """
    deadline = clock() + seconds
    aborted: set[str] = set()
    while clock() < deadline:
        try:
            left = [race for race in cluster.races() if _is_held(race)]
            for race in left:
                name = race["metadata"]["name"]
                if is_active(race) and race["metadata"]["uid"] not in aborted:
                    cluster.patch_race(name, {"spec": {"abort": True, "suspend": False}})
                    aborted.add(race["metadata"]["uid"])
                    say(f"{name}: aborted")
        except ClusterError as error:
            say(str(error))
        else:
            if not left:
                return
        pause(PAUSE_SECONDS)
    _strip(cluster, say)


def _is_held(race: Race) -> bool:
    return is_active(race) or any(_is_ours(finalizer) for finalizer in race["metadata"].get("finalizers") or ())


def _is_ours(finalizer: str) -> bool:
    return finalizer.startswith(FINALIZER_PREFIX)


def _strip(cluster: Cluster, say: Callable[[str], None]) -> None:
    try:
        for race in cluster.races():
            finalizers = race["metadata"].get("finalizers") or []
            kept = [finalizer for finalizer in finalizers if not _is_ours(finalizer)]
            if kept != finalizers:
                cluster.patch_race(race["metadata"]["name"], {"metadata": {"finalizers": kept}})
                say(f"{race['metadata']['name']}: the operator did not end it in time, it is let go as it is")
    except ClusterError as error:
        say(str(error))
