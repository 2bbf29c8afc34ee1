"""Handing experiments over to a cluster: all of them are looked at before the first one is made."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.interruption import SIGNALS
from racelab_operator.platforms.kubernetes.errors import ChangedError, ClusterRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from racelab_operator.platforms.kubernetes.cluster import Cluster
    from racelab_operator.spec import RaceExperiment

PART_OF: Final = "app.kubernetes.io/part-of=racelab"
COMPONENT: Final = "app.kubernetes.io/component"
GONE_SECONDS: Final = 60
PAUSE_SECONDS: Final = 0.25

Race = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where experiments are made; `context`: the kubeconfig's, where one was named."""

    namespace: str
    context: str | None = None

    def kubectl(self, words: str) -> str:
        """Write a kubectl command for this place."""
        context = "" if self.context is None else f" --context {self.context}"
        return f"kubectl{context} -n {self.namespace} {words}"


def namespace_of(races: Sequence[RaceExperiment], flag: str | None, default: str) -> str:
    """Choose the namespace: the flag's, else the files' own, else the kubeconfig's.

    Raises:
        WrongUseError: they contradict each other.

    """
    chosen = flag
    for race in races:
        own = race.metadata.namespace
        if own is not None and chosen is not None and own != chosen:
            advice = "give the same one, or run them one by one"
            raise WrongUseError(f"{race.metadata.name}: metadata.namespace: given {own}, and {chosen} before: {advice}")
        chosen = chosen or own
    return chosen or default


def manifest(race: RaceExperiment) -> Race:
    """Write an experiment as its file does: what the file leaves out, the cluster's CRD fills in."""
    return race.model_dump(mode="json", by_alias=True, exclude_unset=True)


def check(cluster: Cluster, races: Sequence[RaceExperiment], place: Place) -> list[Race]:
    """See whether the cluster would take them all; give those of their names that are there and have ended.

    Raises:
        WrongUseError: one of a name is there and has not ended.
        InvalidObjectError: the cluster's schema refuses one.
        RacelabError: racelab is not installed there, or the API server does not answer.

    """
    if not cluster.knows_races():
        advice = "install the chart, or `racelab crd | kubectl apply --server-side -f -`"
        raise RacelabError(f"the cluster does not know the kind RaceExperiment: {advice}")
    _must_have_an_operator(cluster, place)
    there = []
    for race in races:
        name = race.metadata.name
        found = cluster.race(name)
        if found is not None:
            _must_have_ended(found, place)
            there.append(found)
        # One of its name that is there is told after all that is wrong with this one.
        with contextlib.suppress(ChangedError):
            if cluster.create_race(manifest(race), dry_run=True) is None:
                raise RacelabError(f"there is no namespace {place.namespace}: check --namespace")
    return there


def _must_have_an_operator(cluster: Cluster, place: Place) -> None:
    try:
        found = cluster.services(f"{PART_OF},{COMPONENT}=operator")
    except ClusterRefusedError:
        return  # who may not look has to believe that it is there
    if not found:
        install = f"helm upgrade --install lab helm/racelab -n {place.namespace} --create-namespace"
        raise RacelabError(f"no racelab is installed in namespace {place.namespace}: `{install}`, or check --namespace")


def _must_have_ended(found: Race, place: Place) -> None:
    if (found.get("status") or {}).get("completionTime") or "deletionTimestamp" in found["metadata"]:
        return
    name = found["metadata"]["name"]
    look, delete = place.kubectl(f"get race {name}"), place.kubectl(f"delete race {name}")
    raise WrongUseError(f"{name}: is there and has not ended: look at it: `{look}`; or delete it: `{delete}`")


def clear(cluster: Cluster, there: Sequence[Race], tell: Callable[[str], None]) -> None:
    """Delete the ended ones that have the names, and wait until they are gone.

    Raises:
        RacelabError: one does not go.

    """
    for race in there:
        tell(f"{race['metadata']['name']}: one that has ended is there: it is deleted and made again")
        if "deletionTimestamp" not in race["metadata"]:
            cluster.delete_race(race["metadata"]["name"], race["metadata"]["uid"])
    deadline = time.monotonic() + GONE_SECONDS
    while left := [race for race in there if _is_there(cluster, race)]:
        if time.monotonic() > deadline:
            names = ", ".join(race["metadata"]["name"] for race in left)
            raise RacelabError(f"{names}: is not gone {GONE_SECONDS} s after it was deleted: is the operator running?")
        time.sleep(PAUSE_SECONDS)


def _is_there(cluster: Cluster, race: Race) -> bool:
    found = cluster.race(race["metadata"]["name"])
    return found is not None and found["metadata"]["uid"] == race["metadata"]["uid"]


def create(cluster: Cluster, race: RaceExperiment, keep: Callable[[Race], None]) -> None:
    """Make one; no signal comes between its being made and its being kept.

    Raises:
        WrongUseError: somebody has made one of its name meanwhile.

    """
    with _undisturbed():
        try:
            made = cluster.create_race(manifest(race))
        except ChangedError as error:
            raise WrongUseError(f"{race.metadata.name}: {error}") from None
        if made is None:
            raise RacelabError(f"there is no namespace {cluster.namespace}: check --namespace")
        keep(made)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
