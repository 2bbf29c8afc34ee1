"""The body on this machine, over a lab that only remembers: what is seen, and what is done, for each action."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from brain.samples import audit, experiment
from racelab_loadgen.cli import run as load_command
from racelab_operator import actions
from racelab_operator.auditor import Auditor, AuditorError, AuditorUnreachableError
from racelab_operator.catalog import catalog
from racelab_operator.observed import Audit, Gate, Run
from racelab_operator.platforms.local.addresses import Addresses
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.platform import LocalPlatform
from racelab_operator.status import Stage, Status
from racelab_operator.steps import Experiment, run_key, run_labels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from racelab_operator.platforms.local.lab import LocalLab

RACE = experiment(
    scenario="withdraw", windowMilliseconds=[250], load={"requests": 100, "concurrency": 40, "generators": 2}
)
STEP = RACE.steps[0]
KEY = run_key(RACE, STEP)


class FakeLab:
    def __init__(self, ca_file: Path) -> None:
        self.addresses = Addresses(
            "http://127.0.0.1:1", "https://localhost:2/", "http://127.0.0.1:3", ca_file, "t", "", ()
        )
        self.failed: dict[str, str] = {}
        self.scaled: list[int] = []
        self.started: dict[str, list[str]] = {}
        self.stopped: list[str] = []
        self.refusal: str | None = None

    def failed_processes(self) -> dict[str, str]:
        return self.failed

    def ready_replicas(self) -> tuple[str, ...]:
        return ("bank-0",)

    def scale(self, replicas: int) -> None:
        if self.refusal:
            raise LabError(self.refusal)
        self.scaled.append(replicas)

    def start_load(self, name: str, arguments: Sequence[str]) -> None:
        self.started[name] = list(arguments)

    def load_state(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(state="running" if name in self.started else "absent", reason="")

    def stop_load(self, name: str) -> None:
        self.stopped.append(name)


class FakeAuditor:
    def __init__(self) -> None:
        self.gate: Any = "waiting"
        self.error: AuditorError | None = None
        self.calls: list[tuple[Any, ...]] = []

    def _call(self, *call: Any) -> None:
        if self.error:
            raise self.error
        self.calls.append(call)

    def run(self, key: str) -> Run | None:
        self._call("run", key)
        return Run(key=key, state="open", generators=2, gate=Gate(state=self.gate))

    def audit(self, key: str) -> Audit | None:
        self._call("audit", key)
        return audit(run=key)

    def open_run(self, step: Any, key: str, labels: dict[str, str]) -> None:
        self._call("open_run", key, labels)

    def report_lost(self, *arguments: Any) -> None:
        self._call("report_lost", *arguments)

    def close_run(self, *arguments: Any) -> None:
        self._call("close_run", *arguments)


class Body:
    """A platform with its fakes."""

    def __init__(self, ca_file: Path, *, live: bool = False) -> None:
        self.lab, self.auditor, self.now = FakeLab(ca_file), FakeAuditor(), 100.0
        self.platform = LocalPlatform(
            cast("LocalLab", self.lab), cast("Auditor", self.auditor), live=live, clock=lambda: self.now
        )

    def act(self, action: actions.Action) -> None:
        self.platform.act(RACE, action)

    def observe(self, stage: Stage, race: Experiment = RACE) -> Any:
        return self.platform.observe(race, Status(stage=stage))


@pytest.fixture
def body(tmp_path: Path) -> Body:
    ca_file = tmp_path / "root.crt"
    ca_file.touch()
    return Body(ca_file)


def test_every_generator_is_started_with_flags_that_racelab_load_understands(body: Body) -> None:
    body.act(actions.StartLoad(STEP, KEY))
    assert list(body.lab.started) == [f"{KEY}-load-0", f"{KEY}-load-1"]
    for index, arguments in enumerate(body.lab.started.values()):
        given = load_command.make_context("run", list(arguments)).params
        assert given["url"] == "https://localhost:2/bank/withdraw/atomic_only/"
        assert given["form"].endswith("&isolation=read-committed&window_milliseconds=250")
        assert (given["requests"], given["concurrency"], given["seed"]) == (100, 40, 7)
        assert (given["generator"], given["generators"], given["run_key"]) == (index, 2, KEY)
        assert given["timeout_seconds"] == 30 + 10


@pytest.mark.parametrize("scenario", sorted(catalog().scenarios))
def test_the_flags_of_every_scenario_are_understood(body: Body, scenario: str) -> None:
    race = experiment(scenario=scenario, strategies=[catalog().strategies_for(scenario)[0]])
    body.platform.act(race, actions.StartLoad(race.steps[0], KEY))
    [arguments] = body.lab.started.values()
    given = load_command.make_context("run", arguments).params
    own = catalog().scenarios[scenario]
    assert (given["target"], given["other"]) == (own.target, own.other)
    assert given["form"] == f"{own.form}&isolation=read-committed&window_milliseconds=0"


def test_a_timed_load_is_given_its_duration(body: Body) -> None:
    timed = replace(STEP, load=replace(STEP.load, requests=None, duration_seconds=9))
    body.act(actions.StartLoad(timed, KEY))
    arguments = body.lab.started[f"{KEY}-load-0"]
    assert load_command.make_context("run", arguments).params["duration_seconds"] == 9
    assert "--requests" not in arguments


def test_a_load_is_not_started_once_its_gate_has_left_waiting(body: Body) -> None:
    body.auditor.gate = "open"
    body.act(actions.StartLoad(STEP, KEY))
    assert body.lab.started == {}


def test_every_action_reaches_the_lab_or_the_auditor(body: Body) -> None:
    body.act(actions.Scale(3))
    body.act(actions.Restore(2))
    body.act(actions.StopLoad(STEP, KEY))
    body.act(actions.OpenRun(STEP, KEY))
    body.act(actions.ReportLost(KEY, 1, "gone"))
    body.act(actions.CloseRun(KEY))
    assert body.lab.scaled == [3, 2]
    assert body.lab.stopped == [f"{KEY}-load-0", f"{KEY}-load-1"]
    assert body.auditor.calls == [
        ("open_run", KEY, run_labels(RACE, STEP)),
        ("report_lost", KEY, 1, "gone"),
        ("close_run", KEY),
    ]


def test_nothing_has_to_be_given_back_before_the_first_scaling(body: Body) -> None:
    assert body.observe("spec").replicas_wanted is None
    body.act(actions.Scale(3))
    seen = body.observe("replicas")
    assert (seen.replicas_wanted, seen.ready_replicas) == (3, ("bank-0",))


def test_a_dead_part_of_the_lab_is_a_failure_and_a_dead_replica_is_not(body: Body) -> None:
    body.lab.failed = {"bank-0": "killed by SIGKILL"}
    assert body.observe("load").failure is None
    body.lab.failed = {"postgresql": "exit code 1:\n  PANIC: No space left on device\n"}
    assert body.observe("load").failure == "postgresql died: exit code 1:; PANIC: No space left on device"


@pytest.mark.parametrize("stage", ["load", "audit"])
def test_an_auditor_that_does_not_answer_is_waited_for_and_one_that_refuses_is_a_failure(
    body: Body, stage: Stage
) -> None:
    body.auditor.error = AuditorUnreachableError("connection refused")
    body.act(actions.CloseRun(KEY))
    assert (body.observe(stage).auditor_error, body.observe(stage).failure) == ("connection refused", None)
    body.auditor.error = AuditorError("the auditor refused it")
    body.act(actions.OpenRun(STEP, KEY))
    assert body.observe(stage).failure == "the auditor refused it"


def test_a_scaling_that_the_lab_refuses_is_a_failure(body: Body) -> None:
    body.lab.refusal = "20 replicas need 78 connections, the database allows 50"
    body.act(actions.Scale(20))
    assert body.observe("replicas").failure == body.lab.refusal


def test_while_generators_work_the_auditor_is_asked_at_times_only(body: Body) -> None:
    body.act(actions.StartLoad(STEP, KEY))
    body.auditor.calls.clear()
    for _ in range(5):
        assert body.observe("load").run is not None
    body.now += 1
    body.observe("load")
    assert body.auditor.calls == [("run", KEY)] * 2


def test_a_live_audit_is_asked_for_when_somebody_watches_and_the_final_one_always(tmp_path: Path) -> None:
    watched = Body(tmp_path / "root.crt", live=True)
    watched.lab.started[f"{KEY}-load-0"] = []
    assert watched.observe("load").audit is not None
    unwatched = Body(tmp_path / "root.crt")
    unwatched.lab.started[f"{KEY}-load-0"] = []
    assert unwatched.observe("load").audit is None
    assert unwatched.observe("audit").audit is not None
