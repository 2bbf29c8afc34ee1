"""What the operator sees of a step on a cluster."""

from __future__ import annotations

from typing import Any

from operating.samples import SETTINGS, experiment
from racelab_operator.platforms.kubernetes.platform import KubernetesPlatform
from racelab_operator.status import Status


class ClusterWithAForeignJob:
    """Somebody else's Job has the load's name."""

    def job(self, name: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "uid": "u", "ownerReferences": [{"uid": "somebody-else"}]}, "spec": {}}

    def autoscalers(self) -> list[dict[str, Any]]:
        return []


class AuditorWithoutRuns:
    """Answers, and knows nothing."""

    def run(self, key: str) -> None:
        return None


def test_a_job_of_the_loads_name_that_is_somebody_elses_ends_the_experiment_and_is_named() -> None:
    cluster, auditor = ClusterWithAForeignJob(), AuditorWithoutRuns()
    platform = KubernetesPlatform(cluster, SETTINGS, auditor, edge=None)  # type: ignore[arg-type]
    seen = platform.observe(experiment(), Status(stage="load"))
    assert seen.failure == "Job sample-7b143-0-load is there and belongs to somebody else: delete it"
    assert seen.loads[0].phase == "absent"
