"""Reading Pods and Jobs: which replicas are ready, what has become of each generator. Pure: objects are plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from racelab_operator.observed import ABSENT, Load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object = dict[str, Any]

INDEX_ANNOTATION: Final = "batch.kubernetes.io/job-completion-index"
LONGEST_REASON: Final = 400
# The kubelet's own words for a container that cannot start yet: worth telling, unlike PodInitializing.
_ORDINARY: Final = frozenset({"ContainerCreating", "PodInitializing"})


def ready_pods(pods: Iterable[Object]) -> frozenset[str]:
    """Name the Pods that are ready and not about to go."""
    return frozenset(pod["metadata"]["name"] for pod in pods if _is_ready(pod) and not _is_going(pod))


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _is_going(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def loads_of(job: Object | None, pods: Iterable[Object], generators: int) -> tuple[Load, ...]:
    """Say what has become of each generator of a Job, from the Job and its Pods.

    Where an index had several Pods, the one that did its work counts, then the one that runs, then the failed one: a
    second one may have come for a first one that was evicted, and found the gate closed.
    """
    if job is None:
        return (ABSENT,) * generators
    by_index: dict[int, list[Load]] = {}
    for pod in pods:
        by_index.setdefault(_index(pod), []).append(_load(pod))
    return tuple(_best(by_index.get(index, []), job) for index in range(generators))


def _index(pod: Object) -> int:
    annotations = pod["metadata"].get("annotations") or {}
    return int(annotations.get(INDEX_ANNOTATION, "-1"))


def _best(loads: list[Load], job: Object) -> Load:
    for phase in ("succeeded", "running", "failed"):
        for load in loads:
            if load.phase == phase:
                return load
    return _without_pod(job)


def _without_pod(job: Object) -> Load:
    """Tell of a generator that has no Pod: it is still to come, or it never will."""
    for condition in job.get("status", {}).get("conditions") or ():
        if condition["status"] == "True" and condition["type"] in {"Failed", "Complete"}:
            reason, message = condition.get("reason", ""), condition.get("message", "")
            return Load("failed", f"its Pod is gone ({_joined(reason, message)})")
    if job["spec"].get("suspend"):
        return Load("failed", "it was stopped")
    return Load("running", "no Pod yet")


def _load(pod: Object) -> Load:
    status = pod.get("status", {})
    match status.get("phase"):
        case "Succeeded":
            return Load("succeeded")
        case "Failed":
            return Load("failed", _failure(status))
        case "Pending":
            return Load("running", _pending(status))
        case _:
            return Load("running")


def _failure(status: Mapping[str, Any]) -> str:
    """Say why a Pod failed: evicted, out of memory, or its program's last words."""
    if status.get("reason"):
        return _joined(status["reason"], status.get("message", ""))
    for container in status.get("containerStatuses") or ():
        ended = container.get("state", {}).get("terminated")
        if ended and ended.get("exitCode") != 0:
            reason = ended.get("reason", "Error")
            words = reason if reason != "Error" else f"exit code {ended.get('exitCode')}"
            return _joined(words, ended.get("message", ""))
    return "its Pod failed"


def _pending(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _joined(condition.get("reason", ""), condition.get("message", ""))
    for container in status.get("containerStatuses") or ():
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in _ORDINARY:
            return _joined(waiting.get("reason", ""), waiting.get("message", ""))
    return ""


def _joined(reason: str, message: str) -> str:
    """Put a reason and its message on one line of a bearable length."""
    lines = "; ".join(line.strip() for line in message.splitlines() if line.strip())
    words = ": ".join(part for part in (reason, lines) if part)
    return words if len(words) <= LONGEST_REASON else f"{words[:LONGEST_REASON]}…"
