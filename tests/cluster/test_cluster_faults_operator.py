"""The operator is killed in every phase of an experiment: another one goes on, and no load is sent twice."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from cluster.lab import RELEASE, Lab, spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

# Not before, since generators that wait at the gate lock the run as well.
LOCK_WHEN_LOADED = """
DO $$ BEGIN
  WHILE NOT EXISTS (SELECT FROM generator JOIN run ON run.id = run_id WHERE key = '{0}' AND history = 'complete') LOOP
    PERFORM pg_sleep(0.005);
  END LOOP;
  PERFORM FROM run WHERE key = '{0}' FOR SHARE;
END $$"""

ROLE = f"role/{RELEASE}-operator"


@contextlib.contextmanager
def scaling_replicas(lab: Lab, name: str) -> Iterator[None]:
    lab.reaches(name, "replicas")
    yield


@contextlib.contextmanager
def before_the_gate(lab: Lab, name: str) -> Iterator[None]:
    job = f"{lab.run_key(name)}-load"
    lab.watching.wait(f"Job {job}", lambda: lab.watching.get("job", job))
    assert not lab.status(name)["progress"]["gateDecided"]
    yield


@contextlib.contextmanager
def in_mid_load(lab: Lab, name: str) -> Iterator[None]:
    lab.is_loaded(name)
    yield


@contextlib.contextmanager
def closing_the_ledger(lab: Lab, name: str) -> Iterator[None]:
    """Closing a run waits for whoever has locked it."""
    lab.is_loaded(name)
    with lab.held_transaction(LOCK_WHEN_LOADED.format(lab.run_key(name))):
        lab.reaches(name, "ledger")
        yield


@contextlib.contextmanager
def awaiting_the_audit(lab: Lab, name: str) -> Iterator[None]:
    """No audit is final while a transaction goes on that is older than the run's end."""
    lab.is_loaded(name)
    with lab.held_transaction("SELECT pg_current_xact_id()"):
        lab.reaches(name, "audit")
        yield


@contextlib.contextmanager
def giving_back_replicas(lab: Lab, name: str) -> Iterator[None]:
    """The replicas are not given back while the operator may not scale."""
    lab.is_loaded(name)
    rules = json.loads(lab.kubectl("get", ROLE, "--output=json"))["rules"]
    index = next(index for index, rule in enumerate(rules) if rule["resources"] == ["deployments/scale"])
    for verbs, begin in ((["get"], True), (rules[index]["verbs"], False)):
        patch = [{"op": "replace", "path": f"/rules/{index}/verbs", "value": verbs}]
        lab.kubectl("patch", ROLE, "--type=json", f"--patch={json.dumps(patch)}")
        if begin:
            lab.reaches(name, "report")
            yield


@pytest.mark.parametrize(
    "phase",
    [scaling_replicas, before_the_gate, in_mid_load, closing_the_ledger, awaiting_the_audit, giving_back_replicas],
)
def test_an_operator_that_is_killed_costs_no_verdict(
    lab: Lab, phase: Callable[[Lab, str], contextlib.AbstractContextManager[None]]
) -> None:
    name = f"killed-{phase.__name__.replace('_', '-')}"
    lab.make(name, spec())
    with phase(lab, name):
        killed = lab.kill_component("operator")
        lab.ready("operator", but=killed)

    lab.confirms(name)
    assert lab.condition(name, "Restored") == ("True", "GivenBack")
    lab.ran_once(name)


def test_an_operator_that_is_killed_between_two_steps_performs_both(lab: Lab) -> None:
    lab.make("killed-between", spec(replicas=[2, 1], strategies=["row_lock", "f_expression"], load={"requests": 30}))
    lab.reaches("killed-between", "replicas", step=1)
    first = lab.kill_component("operator")
    lab.ready("operator", but=first)
    lab.reaches("killed-between", "replicas", step=2)
    lab.kill_component("operator")

    lab.confirms("killed-between")
    lab.ran_once("killed-between", 30, steps=4)
