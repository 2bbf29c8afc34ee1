"""The runs of a lab on a cluster, for those who watch: from its auditor, and verdicts from its experiments."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from racelab_operator.errors import RacelabError
from racelab_operator.platforms.kubernetes.access import access
from racelab_operator.platforms.kubernetes.auditor_forward import auditor_of
from racelab_operator.platforms.kubernetes.cluster import Cluster
from racelab_operator.platforms.kubernetes.following import in_their_order
from racelab_operator.platforms.kubernetes.submitting import COMPONENT, PART_OF
from racelab_operator.race_status import RaceStatus

if TYPE_CHECKING:
    from racelab_operator.auditor import Auditor
    from racelab_operator.observed import Audit, Run


class ClusterRuns:
    """The auditor of a namespace, reached through the API server; reached again when the way to it broke."""

    def __init__(self, namespace: str | None, context: str | None) -> None:
        self._access = access(context)
        self._namespace = namespace or self._access.namespace
        self.where = f"namespace {self._namespace}"
        self._cluster = Cluster(self._access.connect(), self._namespace)
        self._stack = contextlib.ExitStack()
        self._auditor: Auditor | None = None
        self._races: list[dict[str, Any]] = []
        self._seen = False

    def runs(self) -> list[Run]:
        """List the newest runs, the newest first; look at the experiments, too.

        Raises:
            RacelabError: nothing is there, or it does not answer.

        """
        self._races = in_their_order(self._cluster.races())
        runs = self._reached().runs()
        self._seen = True
        return runs

    def run(self, key: str) -> Run | None:
        """Get a run."""
        return self._reached().run(key)

    def audit(self, key: str) -> Audit | None:
        """Get the audit of a run."""
        return self._reached().audit(key)

    def verdicts(self) -> dict[str, str]:
        """Give what the operator judged, by run."""
        return {step.run: step.verdict for race in self._races for step in _status(race).steps}

    def notes(self) -> list[str]:
        """Tell where the experiments stand that have not ended."""
        unended = [(race["metadata"]["name"], _status(race)) for race in self._races]
        return [_note(name, status) for name, status in unended if status.completion_time is None]

    def close(self) -> None:
        """Close the connections."""
        self._auditor = None
        self._stack.close()

    def _reached(self) -> Auditor:
        if self._auditor is None:
            if not self._seen and not self._cluster.services(f"{PART_OF},{COMPONENT}=auditor"):
                install = f"helm upgrade --install lab helm/racelab -n {self._namespace} --create-namespace"
                raise RacelabError(
                    f"no racelab is installed in namespace {self._namespace}: `{install}`, or check --namespace"
                )
            self._auditor = self._stack.enter_context(auditor_of(self._access, self._namespace)).client
        return self._auditor

    def lost(self, error: RacelabError) -> str:
        """Say what is the matter, after an error that may pass; the next look takes a new way to the auditor."""
        self.close()
        return f"asking on: {error}"


def _status(race: dict[str, Any]) -> RaceStatus:
    try:
        return RaceStatus.model_validate(race.get("status") or {})
    except ValidationError:  # another version's: its runs are shown all the same
        return RaceStatus()


def _note(name: str, status: RaceStatus) -> str:
    step = "" if status.step is None else f"step {status.step.position}, "
    return f"{name}: {step}{status.message or status.stage or 'waiting for the operator'}"
