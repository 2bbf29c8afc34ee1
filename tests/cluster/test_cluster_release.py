"""The chart is upgraded or uninstalled while an experiment is under way: nothing is lost, nothing is stuck."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.cluster import try_kubectl
from cluster.lab import QUICK, REQUESTS, Lab, fresh_lab, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

KINDS = "all,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,leases,pvc,races"
# What every namespace has.
OWN = {"configmap/kube-root-ca.crt", "serviceaccount/default"}


def test_an_upgrade_of_the_operator_in_mid_load_costs_no_verdict(lab: Lab) -> None:
    lab.make("operator-upgraded", spec(strategies=["row_lock", "f_expression"]))
    lab.is_loaded("operator-upgraded")
    before = lab.ready("operator")
    lab.install("operator.resources.limits.memory=400Mi")

    lab.ready("operator", but=before)
    lab.confirms("operator-upgraded")
    lab.ran_once("operator-upgraded", steps=2)


def test_an_upgrade_of_the_bank_in_mid_load_leaves_its_scale_alone_and_loses_no_money(lab: Lab) -> None:
    lab.make("bank-upgraded", spec(replicas=[3], load={"requests": 200}))
    lab.is_loaded("bank-upgraded")
    before = {pod["metadata"]["name"] for pod in lab.pods("bank")}
    changes = len(lab.watching.changes)
    lab.install("bank.delayScale=2")

    status = lab.ends("bank-upgraded")
    [step] = status["steps"]
    audit = lab.audit(step["run"])
    assert step["verdict"] == "Confirmed", step["reason"]
    assert (audit.drift_cents, audit.lost, audit.operations.ok, audit.entries) == (0, 0, 200, 200)
    banks = [change.object for change in lab.watching.changes[changes:] if change.name == "lab-bank"]
    assert {bank["spec"]["replicas"] for bank in banks} <= {3, 1}
    lab.watching.wait("new Pods", lambda: before.isdisjoint(pod["metadata"]["name"] for pod in lab.pods("bank")), 60)


@pytest.fixture
def own_lab(crd: None, image: str) -> Iterator[Lab]:
    """A lab that may be taken away."""
    with fresh_lab() as lab:
        yield lab


def left(lab: Lab) -> set[str]:
    """Name what is in the lab's namespace."""
    return set(lab.kubectl("get", KINDS, "--output=name", "--ignore-not-found").split()) - OWN


def test_uninstalling_in_mid_load_ends_experiments_leaves_nothing_and_allows_another_installation(own_lab: Lab) -> None:
    lab = own_lab
    lab.make("uninstalled", spec(strategies=["row_lock", "f_expression"], load={"requests": 3 * REQUESTS}))
    lab.is_loaded("uninstalled")
    lab.make("waiting", spec(**QUICK))
    lab.watching.wait("it to be queued", lambda: lab.status("waiting").get("stage") == "Queued")
    lab.uninstall()

    races = {name: lab.race(name) for name in ("uninstalled", "waiting")}
    assert {name: race["status"]["verdict"] for name, race in races.items()} == dict.fromkeys(races, "Unknown")
    assert [race["metadata"].get("finalizers", []) for race in races.values()] == [[], []]
    lab.watching.wait("the lab's Pods to go", lambda: not lab.working_loads(), 60)

    lab.install()
    lab.make("installed-again", spec(**QUICK))
    lab.confirms("installed-again")

    lab.uninstall()
    deleted = try_kubectl("--namespace", lab.namespace, "delete", "races", "--all", "--timeout=30s")
    assert deleted.returncode == 0, deleted.stderr
    lab.watching.wait("all Pods to go", lambda: not lab.watching.all("pod"), 120)
    assert left(lab) == set()
