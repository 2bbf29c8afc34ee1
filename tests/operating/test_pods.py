"""What Pods and Jobs say of the bank's replicas and of a load's generators."""

from __future__ import annotations

from typing import Any

import pytest

from racelab_operator.observed import Load
from racelab_operator.platforms.kubernetes.pods import INDEX_ANNOTATION, LONGEST_REASON, loads_of, ready_pods

JOB: dict[str, Any] = {"metadata": {"name": "load"}, "spec": {}, "status": {}}


def pod(name: str = "bank-a", *, ready: bool = True, going: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


def generator(index: int, phase: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {INDEX_ANNOTATION: str(index)}}, "status": {"phase": phase, **status}}


def ended(exit_code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {
        "containerStatuses": [{"state": {"terminated": {"exitCode": exit_code, "reason": reason, "message": message}}}]
    }


def test_a_replica_counts_when_it_is_ready_and_not_about_to_go() -> None:
    pods = [pod("a"), pod("b", ready=False), pod("c", going=True), {"metadata": {"name": "d"}, "status": {}}]
    assert ready_pods(pods) == {"a"}


def test_without_a_job_every_generator_is_absent() -> None:
    assert {load.phase for load in loads_of(None, [], 3)} == {"absent"}


def test_a_generator_without_a_pod_is_still_to_come() -> None:
    assert loads_of(JOB, [], 1) == (Load("running", "no Pod yet"),)


def test_a_generator_without_a_pod_never_comes_once_its_job_has_failed_or_was_stopped() -> None:
    condition = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "it took too long"}
    failed = JOB | {"status": {"conditions": [condition]}}
    assert loads_of(failed, [], 1) == (Load("failed", "its Pod is gone (DeadlineExceeded: it took too long)"),)
    assert loads_of(JOB | {"spec": {"suspend": True}}, [], 1) == (Load("failed", "it was stopped"),)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ended(137, "OOMKilled"), "OOMKilled"),
        (ended(3, message="racelab-load: the gate failed\n"), "exit code 3: racelab-load: the gate failed"),
        ({"reason": "Evicted", "message": "The node was low on resource: memory."}, "Evicted: The node was low on"),
        ({}, "its Pod failed"),
    ],
)
def test_a_failed_generator_tells_the_reason_of_its_pod(status: dict[str, Any], reason: str) -> None:
    (load,) = loads_of(JOB, [generator(0, "Failed", **status)], 1)
    assert load.phase == "failed"
    assert load.reason.startswith(reason)


def test_a_pod_that_cannot_start_says_why_and_an_ordinary_start_says_nothing() -> None:
    unschedulable: dict[str, Any] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]
    }
    no_image: dict[str, Any] = {
        "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]
    }
    creating: dict[str, Any] = {"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}
    loads = loads_of(JOB, [generator(i, "Pending", **s) for i, s in enumerate((unschedulable, no_image, creating))], 3)
    assert [load.reason for load in loads] == ["Unschedulable: 0/1 nodes", "ImagePullBackOff: no such image", ""]
    assert {load.phase for load in loads} == {"running"}


def test_of_several_pods_of_an_index_the_one_that_did_its_work_counts() -> None:
    evicted, late = generator(0, "Succeeded"), generator(0, "Failed", **ended(3))
    assert loads_of(JOB, [late, evicted], 1) == (Load("succeeded"),)
    assert loads_of(JOB, [late, generator(0, "Running")], 1) == (Load("running"),)


def test_generators_are_told_apart_by_their_index() -> None:
    phases = [load.phase for load in loads_of(JOB, [generator(2, "Succeeded"), generator(0, "Running")], 3)]
    assert phases == ["running", "running", "succeeded"]


def test_long_last_words_are_cut() -> None:
    (load,) = loads_of(JOB, [generator(0, "Failed", **ended(1, message="x" * 5000))], 1)
    assert len(load.reason) == LONGEST_REASON + 1
