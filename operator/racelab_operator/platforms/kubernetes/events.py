"""What `kubectl describe` tells of an experiment's way: one event for every transition. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_operator.race_status import RaceStatus

COMPONENT = "racelab-operator"
LONGEST_MESSAGE = 1000

Told = tuple[Literal["Normal", "Warning"], str, str]


def transitions(before: RaceStatus, after: RaceStatus) -> Iterator[Told]:
    """Tell what has changed between two statuses: type, reason, message."""
    for ended in after.steps[len(before.steps) :]:
        kind: Literal["Normal", "Warning"] = "Normal" if ended.verdict == "Confirmed" else "Warning"
        yield kind, f"Step{ended.verdict}", f"{ended.name}: {ended.reason}"
    known = {condition.type: condition for condition in before.conditions}
    for condition in after.conditions:
        old = known.get(condition.type)
        if old is not None and (old.status, old.reason) == (condition.status, condition.reason):
            continue
        if condition.type == "ScaleConflict" and condition.status == "True":
            yield "Warning", "ScaleConflict", condition.message
        elif condition.type == "Restored" and condition.reason == "Failed":
            yield "Warning", "NotRestored", condition.message
        elif condition.type == "Progressing":
            step = after.step if condition.status == "True" else None
            place = f" of step {step.position} {step.name}" if step else ""
            yield _kind(after, condition.reason), condition.reason, f"{condition.message or condition.reason}{place}"


def _kind(after: RaceStatus, reason: str) -> Literal["Normal", "Warning"]:
    failed = reason == "Finished" and after.verdict != "Confirmed"
    return "Warning" if failed or reason == "TargetMissing" else "Normal"


def event(race: dict[str, Any], told: Told, now: float) -> dict[str, Any]:
    """Write an event about an experiment."""
    kind, reason, message = told
    metadata = race["metadata"]
    moment = datetime.fromtimestamp(now, UTC)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name'][:50]}.", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": race["apiVersion"],
            "kind": race["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "type": kind,
        "reason": reason,
        "message": message[:LONGEST_MESSAGE],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "action": reason,
        "firstTimestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lastTimestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "count": 1,
    }
