"""A namespace in memory: what the operator's parts ask of `Cluster`, with the API server's optimistic locking."""

from __future__ import annotations

import copy
from typing import Any

from racelab_operator.platforms.kubernetes.errors import ChangedError, ClusterRefusedError, ClusterUnreachableError

Object = dict[str, Any]


class FakeCluster:
    """Keeps experiments; `down` and `refusing` make every call fail."""

    namespace = "lab"

    def __init__(self, *races: Object) -> None:
        self.stored = {race["metadata"]["name"]: race for race in races}
        self.events: list[Object] = []
        self.deleted: list[str] = []
        self.down = False
        self.refusing = False

    def races(self) -> list[Object]:
        self._answer()
        return copy.deepcopy(list(self.stored.values()))

    def race(self, name: str) -> Object | None:
        self._answer()
        return copy.deepcopy(self.stored.get(name))

    def store_status(self, race: Object, status: Object) -> Object | None:
        self._answer()
        name = race["metadata"]["name"]
        if name not in self.stored:
            return None
        if race["metadata"]["resourceVersion"] != self.stored[name]["metadata"]["resourceVersion"]:
            raise ChangedError("the object has been modified")
        self.stored[name]["status"] = copy.deepcopy(status)
        self.touch(name)
        return copy.deepcopy(self.stored[name])

    def patch_race(self, name: str, patch: Object) -> Object | None:
        self._answer()
        if name not in self.stored:
            return None
        for part, changes in patch.items():
            self.stored[name][part] |= changes
        self.touch(name)
        return self.stored[name]

    def delete_race(self, name: str, uid: str) -> None:
        self._answer()
        if self.stored[name]["metadata"]["uid"] == uid:
            self.deleted.append(name)

    def create_event(self, event: Object) -> None:
        self._answer()
        self.events.append(event)

    def touch(self, name: str) -> None:
        """Let somebody have changed it."""
        metadata = self.stored[name]["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)

    def _answer(self) -> None:
        if self.down:
            raise ClusterUnreachableError("the API server does not answer")
        if self.refusing:
            raise ClusterRefusedError("forbidden")
