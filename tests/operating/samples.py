"""Values for the tests of the operator's parts."""

from __future__ import annotations

import uuid
from typing import Any

from brain.samples import document
from racelab_operator.platforms.kubernetes.settings import Settings
from racelab_operator.spec import RaceExperiment
from racelab_operator.steps import Experiment, expand

UID = "7b1434e7-4b4f-4c5e-9d86-0123456789ab"

SETTINGS = Settings.model_validate(
    {
        "target": "lab-bank",
        "podSelector": "component=bank",
        "auditorUrl": "http://lab-auditor:9000",
        "edgeUrl": "https://lab-edge",
        "caFile": "/etc/racelab/ca/ca.crt",
        "loadPod": {
            "metadata": {"labels": {"component": "load"}},
            "spec": {"containers": [{"name": "load", "image": "racelab:dev"}], "automountServiceAccountToken": False},
        },
    }
)


def race(name: str = "sample", **parts: Any) -> dict[str, Any]:
    """Give an experiment as the API server has it; parts: spec, status, created, going, uid."""
    metadata = {
        "name": name,
        "namespace": "lab",
        "uid": parts.get("uid", str(uuid.uuid5(uuid.NAMESPACE_DNS, name))),
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": parts.get("created", "2026-01-01T00:00:00Z"),
    }
    if parts.get("going"):
        metadata["deletionTimestamp"] = "2026-01-02T00:00:00Z"
    found = document(**parts.get("spec", {})) | {"metadata": metadata}
    return found | ({"status": parts["status"]} if "status" in parts else {})


def experiment(**spec: Any) -> Experiment:
    """Expand an experiment as it would be on a cluster."""
    return expand(RaceExperiment.model_validate(document(**spec)), UID)
