"""A turn of the operator: store first, act then, and only for an experiment that is still to be performed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from operating.fake_cluster import FakeCluster
from operating.samples import race
from racelab_operator import actions
from racelab_operator.observed import Observed
from racelab_operator.platforms.kubernetes.errors import ClusterRefusedError, ClusterUnreachableError
from racelab_operator.platforms.kubernetes.reconciling import Reconciler

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_operator.status import Status
    from racelab_operator.steps import Experiment

LOADING = {"progress": {"stage": "load", "step": 0, "runSeen": True}, "originalReplicas": 2}


class ScriptedPlatform:
    """Sees a bank on two replicas; notes what it is told to do."""

    def __init__(self) -> None:
        self.replicas: int | None = 2
        self.done: list[actions.Action] = []
        self.left: list[Status] = []
        self.on_act: Callable[[], None] = lambda: None
        self.on_leave: Callable[[], None] = lambda: None
        self.now = 1_790_000_000.0

    def observe(self, experiment: Experiment, status: Status) -> Observed:
        self.now += 1
        return Observed(self.now, status.step, replicas_wanted=self.replicas)

    def act(self, experiment: Experiment, action: actions.Action) -> None:
        self.on_act()
        self.done.append(action)
        if isinstance(action, actions.Scale | actions.Restore):
            self.replicas = action.replicas

    def leave(self, experiment: Experiment, status: Status) -> None:
        self.left.append(status)
        self.on_leave()

    def give_back(self, status: Status) -> None:
        self.replicas = status.original_replicas


class Lab:
    """A reconciler with one experiment."""

    def __init__(self, **parts: Any) -> None:
        self.race = race(**parts)
        self.cluster = FakeCluster(self.race)
        self.platform = ScriptedPlatform()
        clock = lambda: self.platform.now  # noqa: E731
        self.reconciler = Reconciler(self.cluster, lambda: self.platform, clock)  # type: ignore[arg-type,return-value]

    def turn(self) -> None:
        self.reconciler.turn(self.race["metadata"]["name"], self.race["metadata"]["uid"])

    def end(self) -> None:
        self.reconciler.end(self.race["metadata"]["name"], self.race["metadata"]["uid"])

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.stored["sample"].get("status", {})
        return found


def test_a_turn_goes_on_until_there_is_something_to_wait_for() -> None:
    lab = Lab()
    lab.turn()
    assert lab.platform.done == [actions.Scale(3)]
    assert (lab.status["stage"], lab.status["originalReplicas"]) == ("replicas", 2)
    assert lab.status["message"] == "0 of 3 replicas are ready"


def test_the_status_is_stored_before_anything_is_done() -> None:
    lab = Lab()
    stored: list[Any] = []
    lab.platform.on_act = lambda: stored.append(lab.status["originalReplicas"])
    lab.turn()
    assert stored == [2]


def test_nothing_is_done_where_somebody_changed_the_experiment_meanwhile() -> None:
    lab = Lab()
    observe = lab.platform.observe

    def slowly(experiment: Experiment, status: Status) -> Observed:
        lab.cluster.touch("sample")
        return observe(experiment, status)

    lab.platform.observe = slowly  # type: ignore[method-assign]
    lab.turn()
    assert (lab.platform.done, lab.status) == ([], {})


@pytest.mark.parametrize("parts", [{"going": True}, {"status": {"completionTime": "2026-01-01T00:00:00Z"}}])
def test_what_is_being_deleted_or_has_finished_is_left_alone(parts: dict[str, Any]) -> None:
    lab = Lab(**parts)
    lab.turn()
    assert (lab.platform.done, lab.cluster.events) == ([], [])


def test_another_experiment_of_the_same_name_is_left_alone() -> None:
    lab = Lab()
    lab.reconciler.turn("sample", "another-uid")
    assert lab.platform.done == []


def test_a_deletion_between_the_decision_and_the_action_stops_the_action() -> None:
    lab = Lab()
    store = lab.cluster.store_status

    def then_deleted(*arguments: Any) -> Any:
        answer = store(*arguments)
        lab.cluster.stored["sample"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return answer

    lab.cluster.store_status = then_deleted  # type: ignore[assignment,method-assign]
    lab.turn()
    assert lab.platform.done == []


def test_every_transition_is_told_once() -> None:
    lab = Lab()
    lab.turn()
    lab.turn()
    assert [(event["reason"], event["type"]) for event in lab.cluster.events] == [("Replicas", "Normal")]
    assert lab.cluster.events[0]["involvedObject"]["uid"] == lab.race["metadata"]["uid"]


def test_an_event_that_cannot_be_told_does_not_stop_the_experiment(caplog: pytest.LogCaptureFixture) -> None:
    lab = Lab()

    def refuse(_event: Any) -> None:
        raise ClusterRefusedError("forbidden")

    lab.cluster.create_event = refuse  # type: ignore[assignment,method-assign]
    lab.turn()
    assert lab.platform.done == [actions.Scale(3)]
    assert "forbidden" in caplog.text


def test_an_experiment_that_this_version_cannot_read_ends_unknown_with_the_field() -> None:
    lab = Lab()
    lab.cluster.stored["sample"]["spec"]["scenario"] = "arbitrage"
    lab.turn()
    assert lab.status["verdict"] == "Unknown"
    assert lab.status["completionTime"]
    assert "scenario" in lab.status["message"]
    assert lab.platform.done == []


def test_an_experiment_that_it_cannot_read_any_more_gives_the_replicas_back() -> None:
    lab = Lab(status={"progress": {"stage": "load"}, "originalReplicas": 7})
    lab.cluster.stored["sample"]["spec"]["scenario"] = "arbitrage"
    lab.turn()
    assert lab.platform.replicas == 7


def test_an_unreachable_api_server_is_told_to_the_caller_and_loses_nothing() -> None:
    lab = Lab()
    lab.cluster.down = True
    with pytest.raises(ClusterUnreachableError):
        lab.turn()
    lab.cluster.down = False
    lab.turn()
    assert lab.platform.done == [actions.Scale(3)]


def test_the_first_of_two_experiments_has_the_bank_and_the_second_one_looks_less_often() -> None:
    lab = Lab()
    looks: list[float] = []
    observe = lab.platform.observe

    def queued(experiment: Experiment, status: Status) -> Observed:
        looks.append(lab.platform.now)
        seen = observe(experiment, status)
        return Observed(seen.at, seen.step, replicas_wanted=2, queued_behind="other, which comes first")

    lab.platform.observe = queued  # type: ignore[method-assign]
    lab.turn()
    lab.turn()
    assert len(looks) == 1
    assert (lab.status["stage"], lab.status["message"]) == ("Queued", "waiting for other, which comes first")


def test_a_deletion_gives_everything_back_and_waits_for_a_turn_that_is_under_way() -> None:
    lab = Lab(status=LOADING)
    acting, may_go_on, order = threading.Event(), threading.Event(), []

    def slow() -> None:
        acting.set()
        assert may_go_on.wait(10)
        order.append("acted")

    lab.platform.on_act = slow
    lab.platform.on_leave = lambda: order.append("left")
    turning = threading.Thread(target=lab.turn)
    lab.cluster.stored["sample"]["status"] = {"progress": {"stage": "replicas"}, "originalReplicas": 2}
    turning.start()
    assert acting.wait(10)
    lab.cluster.stored["sample"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    ending = threading.Thread(target=lab.end)
    ending.start()
    may_go_on.set()
    turning.join(10)
    ending.join(10)
    assert order == ["acted", "left"]


def test_a_deletion_before_anything_was_taken_has_nothing_to_give_back() -> None:
    lab = Lab(status={"progress": {"stage": "spec", "hold": "Queued"}})
    lab.end()
    assert lab.platform.left == []


def test_a_deletion_while_the_api_server_is_away_is_tried_again() -> None:
    lab = Lab(status=LOADING)
    lab.cluster.down = True
    with pytest.raises(ClusterUnreachableError):
        lab.end()
    lab.cluster.down = False
    lab.end()
    assert [status.original_replicas for status in lab.platform.left] == [2]


def test_a_deletion_goes_through_where_the_cluster_refuses_to_give_back() -> None:
    lab = Lab(status=LOADING)

    def refused() -> None:
        raise ClusterRefusedError("deployments/scale is forbidden")

    lab.platform.on_leave = refused
    lab.end()
    assert len(lab.platform.left) == 1
