"""Generators, replicas, the database, the auditor die in mid-run: the verdict is right, or Unknown with the reason."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from cluster.lab import QUICK, RELEASE, REQUESTS, Lab, eventually, spec
from racelab_operator.errors import RacelabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.watching import Object

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

DATABASE = f"{RELEASE}-postgresql-0"


def experiments_work(lab: Lab, name: str) -> None:
    """See that whatever happened is over."""
    lab.make(name, spec(**QUICK))
    lab.confirms(name)


def test_a_generator_that_is_killed_makes_its_step_unknown_and_is_named(lab: Lab) -> None:
    # Answers take so long that it is killed while it waits for the last ones: it has no time to tell of the others.
    slow = {"strategies": ["f_expression"], "windowMilliseconds": [3000], "load": {"requests": 10}}
    lab.make("generator-killed", spec(**slow))
    lab.is_loaded("generator-killed")
    [(_, pod)] = lab.load_pods("generator-killed")
    lab.kill(pod)

    [step] = lab.ends("generator-killed")["steps"]
    assert step["verdict"] == "Unknown", step["reason"]
    assert re.search("0 of 1 histories are complete: generator 0: (exit code 137|its Pod is gone)", step["reason"])
    assert lab.condition("generator-killed", "Succeeded") == ("False", "Unknown")


def test_a_generator_out_of_memory_is_told_as_such(lab: Lab) -> None:
    memory = "load.resources.limits.memory"
    before = lab.ready("operator")
    lab.install(f"{memory}=24Mi", "load.resources.requests.memory=24Mi")
    lab.ready("operator", but=before)
    try:
        lab.make("out-of-memory", spec())
        status = lab.ends("out-of-memory")
    finally:
        lab.install(f"{memory}=512Mi", "load.resources.requests.memory=128Mi")

    [step] = status["steps"]
    assert step["verdict"] == "Unknown"
    assert "generator 0: OOMKilled" in step["reason"]


def test_a_replica_that_is_killed_in_mid_load_loses_no_money(lab: Lab) -> None:
    lab.make("replica-killed", spec(replicas=[3]))
    lab.is_loaded("replica-killed")
    killed = lab.ready("bank")
    lab.kill(killed)

    status = lab.ends("replica-killed")
    [step] = status["steps"]
    audit = lab.audit(step["run"])
    told = audit.operations
    assert step["verdict"] == "Confirmed", step["reason"]
    assert (step["lost"], step["driftCents"], step["absoluteDriftCents"]) == (0, 0, 0)
    assert told.ok + told.fail + told.info == REQUESTS
    # Of an operation without an answer nobody knows; the ledger has it, or has it not.
    assert told.ok <= audit.entries <= told.ok + told.info
    assert told.ok >= REQUESTS - 10


def test_a_database_that_restarts_keeps_its_ledger_and_the_step_its_verdict(lab: Lab) -> None:
    lab.make("database-restarted", spec())
    lab.is_loaded("database-restarted")
    lab.execute(DATABASE, "bash", "-c", "kill -QUIT 1")

    status = lab.ends("database-restarted")
    [step] = status["steps"]
    audit = lab.audit(step["run"])
    assert step["verdict"] == "Confirmed", step["reason"]
    assert step["driftCents"] == step["lost"] == 0
    assert audit.operations.ok <= audit.entries <= audit.operations.ok + audit.operations.info
    experiments_work(lab, "after-the-restart")


def test_a_database_that_is_emptied_in_mid_load_makes_the_step_unknown(lab: Lab) -> None:
    lab.make("database-emptied", spec())
    lab.is_loaded("database-emptied")
    lab.kill(DATABASE)

    status = lab.ends("database-emptied")
    [step] = status["steps"]
    assert step["verdict"] == "Unknown"
    assert "the run is gone: the database was emptied in mid-step" in step["reason"]
    experiments_work(lab, "after-the-emptying")


@contextlib.contextmanager
def room_for_one_more_pod(lab: Lab) -> Iterator[None]:
    lab.watching.wait("Pods to go", lambda: all(_is_staying(pod) for pod in lab.watching.all("pod")), 120)
    hard = {"count/pods": str(len(lab.watching.all("pod")) + 1)}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "room"}, "spec": {"hard": hard}}
    lab.kubectl("apply", "--filename=-", stdin=json.dumps(quota))
    lab.kubectl("wait", "resourcequota/room", "--for=jsonpath={.status.hard}", "--timeout=30s")
    try:
        yield
    finally:
        lab.kubectl("delete", "resourcequota/room")


def _is_staying(pod: Object) -> bool:
    return "deletionTimestamp" not in pod["metadata"]


def restarts(lab: Lab) -> int:
    [auditor] = lab.pods("auditor")
    return int(auditor["status"]["containerStatuses"][0]["restartCount"])


def test_an_auditor_that_restarts_while_the_gate_waits_remembers_who_is_there(lab: Lab) -> None:
    name = "gate-kept"
    lab.make(name, spec(replicas=[1], load={"generators": 2}, suspend=True))
    lab.watching.wait("it to be seen", lambda: lab.status(name).get("stage") == "Suspended")

    def registered() -> list[int]:
        with contextlib.suppress(RacelabError), lab.auditor() as reached:
            run = reached.client.run(lab.run_key(name))
            return list(run.gate.registered) if run is not None else []
        return []

    with room_for_one_more_pod(lab):
        lab.edit(name, {"suspend": False})
        assert len(eventually("a generator at the gate", registered)) == 1
        [auditor] = lab.pods("auditor")
        lab.execute(auditor["metadata"]["name"], "sh", "-c", "kill 1")
        lab.watching.wait("its restart", lambda: restarts(lab))
        assert len(eventually("a generator at the gate", registered)) == 1
    # Having failed to make a Pod, the Job controller waits longer and longer, but for a Job that changes: the gate
    # gives up after a minute.
    lab.kubectl("annotate", f"job/{lab.run_key(name)}-load", "racelab.dev/room=made")

    status = lab.confirms(name)
    [step] = status["steps"]
    assert (step["operations"]["ok"], lab.audit(step["run"]).histories.complete) == (REQUESTS, 2)


@pytest.mark.parametrize("moment", ["before the gate", "in mid-load"])
def test_an_auditor_that_is_killed_costs_no_verdict(lab: Lab, moment: str) -> None:
    name = f"auditor-killed-{moment.replace(' ', '-')}"
    lab.make(name, spec())
    lab.reaches(name, "load")
    job = f"{lab.run_key(name)}-load"
    lab.watching.wait("the Job", lambda: lab.watching.get("job", job))
    if moment == "in mid-load":
        lab.is_loaded(name)
    lab.kill_component("auditor")

    lab.confirms(name)
    lab.ran_once(name)
