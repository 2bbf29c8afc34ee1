"""The Job of a step's load, as a manifest. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from racelab_operator.load_arguments import LoadAddresses, load_arguments, request_timeout_seconds
from racelab_operator.steps import load_name

if TYPE_CHECKING:
    from racelab_operator.platforms.kubernetes.settings import Settings
    from racelab_operator.steps import Experiment, Step

EXPERIMENT_LABEL: Final = "racelab.dev/experiment"
STEP_LABEL: Final = "racelab.dev/step"
# How long a generator may take beside its requests: its image, the gate, its upload.
SPARE_SECONDS: Final = 600
# racelab-load waits up to 5 s for answers after SIGTERM, then uploads.
STOP_SECONDS: Final = 30
INDEX: Final = "$(JOB_COMPLETION_INDEX)"


def load_job(experiment: Experiment, step: Step, key: str, settings: Settings) -> dict[str, Any]:
    """Write the Indexed Job whose Pods are the step's generators; it belongs to the experiment and goes with it."""
    generators = step.load.generators
    labels = {EXPERIMENT_LABEL: experiment.name, STEP_LABEL: str(step.index)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": load_name(experiment, step),
            "labels": (settings.load_pod.get("metadata", {}).get("labels") or {}) | labels,
            "ownerReferences": [owner(experiment)],
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": generators,
            "parallelism": generators,
            # A generator's requests are never sent again: another Pod of its index is turned away by the gate.
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": _deadline_seconds(step),
            "template": _pod(step, key, settings, labels),
        },
    }


def owner(experiment: Experiment) -> dict[str, Any]:
    """Refer to the experiment as an owner."""
    return {
        "apiVersion": "racelab.dev/v1alpha1",
        "kind": "RaceExperiment",
        "name": experiment.name,
        "uid": experiment.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _deadline_seconds(step: Step) -> int:
    load = step.load
    sending = load.duration_seconds or (load.requests or 0) * (step.window_milliseconds + 50) // 1000
    return SPARE_SECONDS + sending + request_timeout_seconds(step)


def _pod(step: Step, key: str, settings: Settings, labels: dict[str, str]) -> dict[str, Any]:
    template = copy.deepcopy(settings.load_pod)
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = (metadata.get("labels") or {}) | labels
    spec = template["spec"]
    spec["restartPolicy"] = "Never"
    spec.setdefault("terminationGracePeriodSeconds", STOP_SECONDS)
    addresses = LoadAddresses(settings.edge_url, settings.ca_file, settings.auditor_url)
    container = spec["containers"][0]
    container.setdefault("name", "load")
    container["command"] = ["racelab-load", "run"]
    container["args"] = [_escaped(argument) for argument in load_arguments(step, key, INDEX, addresses)]
    return template


def _escaped(argument: str) -> str:
    """Keep the kubelet from expanding what is not ours: $(NAME) is written $$(NAME)."""
    return argument if argument == INDEX else argument.replace("$(", "$$(")
