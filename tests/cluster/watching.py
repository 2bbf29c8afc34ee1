"""What a namespace holds, as its watches tell: tests wait for what they see, and know when it was seen."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import urllib3
from kubernetes import client

from racelab_operator.crd import GROUP, PLURAL, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

Object = dict[str, Any]
Kind = Literal["race", "job", "pod", "deployment"]
Found = TypeVar("Found")

WATCH_SECONDS = 5
PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Change:
    """An object as it was seen at a time (Unix seconds); `gone`: for the last time."""

    at: float
    kind: Kind
    name: str
    object: Object
    gone: bool = False


class Watching:
    """Watches four kinds of a namespace until it is left. An API server that goes away is waited for."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        core, batch, apps, custom = (
            client.CoreV1Api(api),
            client.BatchV1Api(api),
            client.AppsV1Api(api),
            client.CustomObjectsApi(api),
        )
        lists: dict[Kind, Callable[..., Any]] = {
            "race": lambda **options: custom.list_namespaced_custom_object(
                GROUP, VERSION, namespace, PLURAL, **options
            ),
            "job": lambda **options: batch.list_namespaced_job(namespace, **options),
            "pod": lambda **options: core.list_namespaced_pod(namespace, **options),
            "deployment": lambda **options: apps.list_namespaced_deployment(namespace, **options),
        }
        self.changes: list[Change] = []
        self._now: dict[tuple[Kind, str], Object] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=(kind, listed), name=f"watch-{kind}", daemon=True)
            for kind, listed in lists.items()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def get(self, kind: Kind, name: str) -> Object | None:
        """Give an object as it was last seen; None when it is not there."""
        with self._changed:
            return self._now.get((kind, name))

    def all(self, kind: Kind, *, component: str = "") -> list[Object]:
        """Give all objects of a kind, or those with the label of a component."""
        with self._changed:
            found = [one for (of, _), one in self._now.items() if of == kind]
        label = "app.kubernetes.io/component"
        return [one for one in found if not component or one["metadata"].get("labels", {}).get(label) == component]

    def wait(self, what: str, condition: Callable[[], Found | None], seconds: float = 60) -> Found:
        """Wait until a condition over what is seen gives something; fail the test with `what` after so long."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (found := condition()):
                left = deadline - time.monotonic()
                assert left > 0, f"waited {seconds:.0f} s for {what}; seen: {self._summary()}"
                self._changed.wait(left)
        return found

    def _summary(self) -> str:
        races = {
            one["metadata"]["name"]: [one.get("status", {}).get(field) for field in ("stage", "step", "message")]
            for one in self.all("race")
        }
        pods = {one["metadata"]["name"]: one["status"].get("phase") for one in self.all("pod")}
        return json.dumps({"races": races, "pods": pods}, ensure_ascii=False)

    def _follow(self, kind: Kind, listed: Callable[..., Any]) -> None:
        while not self._stopping.is_set():
            try:
                for change, seen in _stream(listed):
                    self._note(kind, change, seen)
                    if self._stopping.is_set():
                        return
            except (client.ApiException, urllib3.exceptions.HTTPError, OSError, ValueError):
                self._stopping.wait(PAUSE_SECONDS)

    def _note(self, kind: Kind, change: str, seen: Object) -> None:
        with self._changed:
            at = time.time()
            for one in seen["items"] if change == "LISTED" else [seen]:
                self._note_one(at, kind, one, gone=change == "DELETED")
            if change == "LISTED":
                there = {one["metadata"]["name"] for one in seen["items"]}
                for of, name in [key for key in self._now if key[0] == kind and key[1] not in there]:
                    self._note_one(at, of, self._now[of, name], gone=True)
            self._changed.notify_all()

    def _note_one(self, at: float, kind: Kind, one: Object, *, gone: bool) -> None:
        name = one["metadata"]["name"]
        if not gone and self._now.get((kind, name)) == one:
            return
        self.changes.append(Change(at, kind, name, one, gone))
        if gone:
            self._now.pop((kind, name), None)
        else:
            self._now[kind, name] = one


def _stream(listed: Callable[..., Any]) -> Iterator[tuple[str, Object]]:
    """List everything once, then give changes for some seconds; errors are the library's."""
    items = json.loads(listed(_preload_content=False, _request_timeout=(3, 10)).data)
    yield "LISTED", items
    answer = listed(
        watch=True,
        resource_version=items["metadata"]["resourceVersion"],
        timeout_seconds=WATCH_SECONDS,
        _preload_content=False,
        _request_timeout=(3, 2 * WATCH_SECONDS),
    )
    try:
        rest = b""
        for chunk in answer.stream(amt=None):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                change = json.loads(line)
                if change["type"] == "ERROR":
                    raise ValueError(change["object"].get("message"))
                yield change["type"], change["object"]
    finally:
        answer.close()
        answer.release_conn()
