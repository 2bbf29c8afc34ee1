"""Sweeping, liveness and the release before an uninstall."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from operating.fake_cluster import FakeCluster
from operating.samples import race
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.platforms.kubernetes.health import PATIENCE_SECONDS, Health
from racelab_operator.platforms.kubernetes.metrics import EXPERIMENTS, STANDINGS
from racelab_operator.platforms.kubernetes.reconciling import Reconciler
from racelab_operator.platforms.kubernetes.releasing import release
from racelab_operator.platforms.kubernetes.serving import serving
from racelab_operator.platforms.kubernetes.sweeping import PARTS, Sweeper

COMPLETED = {"completionTime": "2026-01-01T00:00:00Z", "stage": "report"}
COMPLETED_AT = 1_767_225_600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def sweeper(cluster: FakeCluster, health: Health, now: float) -> Sweeper:
    reconciler = Reconciler(cluster, lambda: None)  # type: ignore[arg-type,return-value]
    return Sweeper(cluster, reconciler, health, clock=lambda: now)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ttl", "seconds_later", "expected"), [(10, 11, ["sample"]), (10, 9, []), (0, 1, ["sample"]), (None, 10**9, [])]
)
def test_a_finished_experiment_is_deleted_after_its_time(
    ttl: int | None, seconds_later: int, expected: list[str]
) -> None:
    spec = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
    cluster = FakeCluster(race(spec=spec, status=COMPLETED))
    sweeper(cluster, Health(PARTS), COMPLETED_AT + seconds_later).sweep()
    assert cluster.deleted == expected


def test_an_experiment_that_has_not_finished_is_never_deleted() -> None:
    cluster = FakeCluster(race(spec={"ttlSecondsAfterFinished": 0}, status={"stage": "load"}))
    sweeper(cluster, Health(PARTS), COMPLETED_AT * 2).sweep()
    assert cluster.deleted == []


def test_experiments_are_counted_by_phase() -> None:
    cluster = FakeCluster(race("a", status=COMPLETED), race("b", status={"stage": "Queued"}), race("c"))
    sweeper(cluster, Health(PARTS), COMPLETED_AT).sweep()
    counted = {
        sample.labels["phase"]: sample.value
        for metric in EXPERIMENTS.collect()
        for sample in metric.samples
        if sample.value
    }
    assert counted == {"Finished": 1, "Queued": 1, "spec": 1}


def standings() -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("racelab_operator_"), *sample.labels.values()): sample.value
        for metric in STANDINGS.collect()
        for sample in metric.samples
    }


def test_an_experiment_is_in_its_stage_since_it_was_first_seen_there_and_leaves_with_it() -> None:
    now = [100.0]
    cluster = FakeCluster(race("a", status={"stage": "load"}))
    swept = sweeper(cluster, Health(PARTS), 0)
    swept._clock = lambda: now[0]
    swept.sweep()
    now[0] = 107.0
    swept.sweep()
    assert standings()["experiment_stage_timestamp_seconds", "a", "load"] == 100.0
    cluster.stored["a"]["status"]["stage"] = "audit"
    swept.sweep()
    assert standings() == {
        ("experiment_stage_timestamp_seconds", "a", "audit"): 107.0,
        ("replicas_not_restored", "a"): 0,
    }
    cluster.stored.clear()
    swept.sweep()
    assert standings() == {}


def test_replicas_that_were_not_given_back_are_told_also_after_the_end() -> None:
    condition = {"type": "Restored", "status": "False", "reason": "Failed"}
    cluster = FakeCluster(race("a", status=COMPLETED | {"conditions": [condition]}), race("b", status=COMPLETED))
    sweeper(cluster, Health(PARTS), COMPLETED_AT).sweep()
    assert standings() == {("replicas_not_restored", "a"): 1, ("replicas_not_restored", "b"): 0}


def test_whatever_turns_is_alive_and_whatever_stands_still_is_named() -> None:
    clock = Clock()
    health = Health(PARTS, clock)
    clock.now += PATIENCE_SECONDS - 1
    assert health.problem() is None
    health.turned(PARTS[0])
    clock.now += 2
    assert health.problem() == f"{PARTS[1]} has not turned for {PATIENCE_SECONDS + 1} s"
    health.turned(PARTS[1])
    assert health.problem() is None


def test_an_active_experiment_that_nobody_turns_is_a_problem_and_a_finished_one_is_not() -> None:
    clock = Clock()
    health = Health((), clock)
    health.watch_only(["race-1", "race-2"], ())
    clock.now += PATIENCE_SECONDS + 1
    health.turned("race-2")
    assert "race-1" in str(health.problem())
    health.watch_only(["race-2"], ())
    assert health.problem() is None


def test_the_probe_answers_what_health_says_and_metrics_are_served() -> None:
    clock = Clock()
    health = Health(("the loop",), clock)
    with serving("127.0.0.1:0", health) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert client.get("/healthz").status_code == 200
        clock.now += PATIENCE_SECONDS + 1
        answer = client.get("/healthz")
        assert (answer.status_code, answer.text) == (503, f"the loop has not turned for {PATIENCE_SECONDS + 1} s\n")
        assert "racelab_operator_reconcile_seconds_count" in client.get("/metrics").text
        assert client.get("/elsewhere").status_code == 404


def test_an_address_that_cannot_be_or_is_taken_is_told() -> None:
    health = Health(())
    with pytest.raises(WrongUseError, match="allowed HOST:PORT"), serving("nonsense", health):
        pass
    taken = serving("127.0.0.1:0", health)
    with taken as port, pytest.raises(RacelabError, match="cannot listen"), serving(f"127.0.0.1:{port}", health):
        pass


class Wait:
    """A pause in which an operator may do its work."""

    def __init__(self, cluster: FakeCluster, clock: Clock, *, operator_works: bool) -> None:
        self.cluster, self.clock, self.operator_works = cluster, clock, operator_works

    def __call__(self, seconds: float) -> None:
        self.clock.now += seconds
        for one in self.cluster.stored.values() if self.operator_works else ():
            if one["spec"].get("abort"):
                one["status"] = COMPLETED
                one["metadata"]["finalizers"] = ["somebody.else/finalizer"]


def held(name: str, **parts: Any) -> dict[str, Any]:
    found = race(name, **parts)
    found["metadata"]["finalizers"] = ["racelab.dev/finalizer", "somebody.else/finalizer"]
    return found


def test_before_an_uninstall_every_unfinished_experiment_is_aborted_and_waited_for() -> None:
    suspended = held("b", spec={"suspend": True})
    cluster, clock, said = FakeCluster(held("a"), suspended, race("done", status=COMPLETED)), Clock(), list[str]()
    pause = Wait(cluster, clock, operator_works=True)
    release(cluster, 30, said.append, clock=clock, pause=pause)  # type: ignore[arg-type]
    assert said == ["a: aborted", "b: aborted"]
    assert clock.now < 1005
    assert cluster.stored["b"]["spec"]["suspend"] is False
    assert "abort" not in cluster.stored["done"]["spec"]


def test_without_an_operator_the_finalizers_of_ours_are_taken_away_after_the_time() -> None:
    cluster, clock, said = FakeCluster(held("a")), Clock(), list[str]()
    pause = Wait(cluster, clock, operator_works=False)
    release(cluster, 30, said.append, clock=clock, pause=pause)  # type: ignore[arg-type]
    assert 1030 <= clock.now < 1032
    assert cluster.stored["a"]["metadata"]["finalizers"] == ["somebody.else/finalizer"]
    assert said[-1] == "a: the operator did not end it in time, it is let go as it is"


@pytest.mark.parametrize("fault", ["down", "refusing"])
def test_a_cluster_that_does_not_help_never_stops_the_uninstall(fault: str) -> None:
    cluster, clock, said = FakeCluster(held("a")), Clock(), list[str]()
    setattr(cluster, fault, True)
    pause = Wait(cluster, clock, operator_works=False)
    release(cluster, 2, said.append, clock=clock, pause=pause)  # type: ignore[arg-type]
    assert said
