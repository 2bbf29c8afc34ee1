"""The example files, applied with kubectl to a lab that the chart installed."""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING

import pytest
import yaml

from cluster.cluster import ROOT
from cluster.lab import BANK, QUICK, REPLICAS_BEFORE, Lab, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.watching import Object

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

QUICKSTART = ROOT / "k8s" / "experiments" / "quickstart.yaml"
MOST_SECONDS = 5.0


def seen_at(lab: Lab, condition: Callable[[str, Object], bool]) -> float:
    """When a change was first seen for which this holds of kind and object."""
    return next(change.at for change in lab.watching.changes if condition(change.kind, change.object))


def ended_steps(race: Object) -> int:
    return len(race.get("status", {}).get("steps", ()))


def own_seconds(lab: Lab, name: str, index: int) -> float:
    """How long a step took beside scaling the bank, starting the load's Pods, and the load itself."""
    step = lab.status(name)["steps"][index]

    def is_race(kind: str, seen: Object) -> bool:
        return kind == "race" and seen["metadata"]["name"] == name

    began = seen_at(lab, lambda kind, seen: is_race(kind, seen) and "status" in seen and ended_steps(seen) == index)
    total = seen_at(lab, lambda kind, seen: is_race(kind, seen) and ended_steps(seen) > index) - began
    job = f"{step['run']}-load"
    created = seen_at(lab, lambda kind, seen: kind == "job" and seen["metadata"]["name"] == job)
    with lab.auditor() as reached:
        run, audit = reached.client.run(step["run"]), reached.client.audit(step["run"])
    assert run is not None
    assert run.gate.start_at_microseconds is not None
    assert audit is not None
    assert audit.seconds is not None
    total -= (run.gate.start_at_microseconds / 1e6 - created) + audit.seconds
    return total - scaling_seconds(lab, began, created)


def scaling_seconds(lab: Lab, began: float, until: float) -> float:
    """How long it took, between two times, from a change of the bank's scale to its last Pod being ready."""
    changes = [change for change in lab.watching.changes if change.at < until]
    banks = [change for change in changes if (change.kind, change.name) == ("deployment", BANK)]
    counts = [(change.at, change.object["spec"]["replicas"]) for change in banks]
    scaled = [at for (_, before), (at, count) in itertools.pairwise(counts) if count != before]
    if not scaled or scaled[-1] < began:
        return 0.0
    ready = [change.at for change in banks if change.object["status"].get("readyReplicas", 0) == counts[-1][1]]
    return max(0.0, next(at for at in ready if at > scaled[-1]) - scaled[-1])


def test_the_quickstart_gives_on_a_cluster_the_verdicts_that_it_gives_on_one_machine(
    lab: Lab, measured: Callable[[str], None]
) -> None:
    lab.kubectl("apply", "--filename", str(QUICKSTART))
    lab.kubectl("wait", "--for=condition=Succeeded", "race/quickstart", "--timeout=200s")

    status = lab.ends("quickstart")
    steps = status["steps"]
    assert [(one["replicas"], one["strategy"]) for one in steps] == [
        (replicas, strategy) for replicas in (1, 3) for strategy in ("atomic_only", "row_lock", "f_expression")
    ]
    assert [one["verdict"] for one in steps] == ["Confirmed"] * 6, status["message"]
    assert [one["lost"] > 0 for one in steps] == [False, False, False, True, False, False]
    assert [one["replicasSeen"] for one in steps] == [1, 1, 1, 3, 3, 3]
    assert [one["operations"]["ok"] for one in steps] == [300] * 6
    assert status["originalReplicas"] == REPLICAS_BEFORE
    assert status["verdict"] == "Confirmed"
    assert lab.condition("quickstart", "Restored") == ("True", "GivenBack")

    own = [own_seconds(lab, "quickstart", index) for index in range(6)]
    told = ", ".join(f"{seconds:.1f}" for seconds in own)
    measured(f"quickstart: a step takes beside load and Pods: {told}; mean {statistics.mean(own):.1f} s")
    assert statistics.mean(own) < MOST_SECONDS


def test_what_kubectl_prints_of_an_experiment_tells_how_far_it_is_and_how_it_ended(lab: Lab) -> None:
    lab.make("told", spec(strategies=["atomic_only"], replicas=[3], load={"requests": 100}))
    lab.ends("told")

    head, line = lab.kubectl("get", "race", "told").splitlines()
    assert head.split()[:6] == ["NAME", "SCENARIO", "STEP", "VERDICT", "DRIFT", "LOST"]
    lost = lab.status("told")["lost"]
    assert line.split()[:6] == ["told", "deposit", "1/1", "Confirmed", lab.status("told")["drift"], str(lost)]
    assert lost > 0
    assert lab.status("told")["driftCents"] == -100 * lost


def test_every_transition_of_an_experiment_is_an_event(lab: Lab) -> None:
    lab.make("eventful", spec(**QUICK))
    lab.ends("eventful")

    uid = lab.race("eventful")["metadata"]["uid"]
    told = lab.kubectl("get", "events", f"--field-selector=involvedObject.uid={uid}", "--output=yaml")
    events = yaml.safe_load(told)["items"]
    reasons = [event["reason"] for event in sorted(events, key=lambda event: event["eventTime"])]
    assert reasons == ["Replicas", "Load", "Ledger", "Audit", "StepConfirmed", "Report", "Finished"]
    assert {event["type"] for event in events} == {"Normal"}
    assert "1/1" in next(event["message"] for event in events if event["reason"] == "Load")
    assert "none of 20 deposits" in next(event["message"] for event in events if event["reason"] == "StepConfirmed")


def test_the_generators_of_a_step_are_pods_of_one_job_that_start_together(
    lab: Lab, measured: Callable[[str], None]
) -> None:
    transfer = {"accounts": 4, "openingCents": 100000, "generators": 3, "concurrency": 12}
    lab.make("together", spec(scenario="transfer", windowMilliseconds=[5], load={"requests": 120, **transfer}))

    status = lab.confirms("together")
    [step] = status["steps"]
    [job] = [job for job in lab.watching.all("job") if job["metadata"]["name"] == f"{step['run']}-load"]
    assert (job["spec"]["completionMode"], job["spec"]["completions"], job["spec"]["parallelism"]) == ("Indexed", 3, 3)
    assert [of for of, _ in lab.load_pods("together")] == [job["metadata"]["name"]] * 3
    audit = lab.audit(step["run"])
    assert (audit.histories.complete, audit.operations.ok, audit.entries) == (3, 120, 240)
    measured(f"three generators: the last first request came {step['startSkewMicroseconds']} µs from the start")
    assert step["startSkewMicroseconds"] < 250_000


@pytest.mark.parametrize(("expect", "verdict"), [("Anomalous", "NotReproduced"), ("Consistent", "Confirmed")])
def test_what_the_file_expects_overrides_the_claim(lab: Lab, expect: str, verdict: str) -> None:
    name = f"expects-{expect.lower()}"
    lab.make(name, spec(**QUICK, expect=expect))

    assert lab.ends(name)["verdict"] == verdict
    assert lab.condition(name, "Succeeded") == (str(verdict == "Confirmed"), verdict)
