"""What users do to an experiment in mid-run: delete, abort, suspend, edit. The bank always gets its replicas back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client

from cluster.cluster import try_kubectl
from cluster.lab import BANK, QUICK, RELEASE, REPLICAS_BEFORE, Lab, eventually, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def test_an_experiment_that_is_deleted_in_mid_load_gives_the_replicas_back_and_is_gone(lab: Lab) -> None:
    lab.make("deleted", spec())
    lab.is_loaded("deleted")
    assert lab.replicas == 2
    job = f"{lab.run_key('deleted')}-load"
    lab.delete("deleted")

    lab.is_gone("deleted", 30)
    lab.is_at_rest()
    lab.watching.wait("its Job to go", lambda: lab.watching.get("job", job) is None)


def test_an_experiment_that_is_aborted_in_mid_load_keeps_what_is_done_and_leaves_the_rest_unknown(lab: Lab) -> None:
    lab.make("aborted", spec(strategies=["f_expression", "row_lock", "append_only"]))
    lab.is_loaded("aborted", step=1)
    lab.edit("aborted", {"abort": True})

    status = lab.ends("aborted", 60)
    first, second, third = status["steps"]
    assert (first["verdict"], third["verdict"], third["reason"]) == ("Confirmed", "Unknown", "aborted")
    assert (second.get("lost", 0), second.get("driftCents", 0)) == (0, 0)
    assert status["verdict"] == "Unknown"
    assert lab.condition("aborted", "Restored") == ("True", "GivenBack")


def test_an_experiment_that_is_suspended_in_mid_load_ends_its_step_holds_and_goes_on(
    lab: Lab,
) -> None:
    lab.make("suspended", spec(strategies=["row_lock", "f_expression"]))
    lab.is_loaded("suspended")
    lab.edit("suspended", {"suspend": True})

    lab.watching.wait("it to hold", lambda: lab.status("suspended").get("stage") == "Suspended")
    lab.is_at_rest()
    lab.watching.wait("the rest", lambda: lab.condition("suspended", "Progressing") == ("False", "Suspended"))
    assert [step["verdict"] for step in lab.status("suspended")["steps"]] == ["Confirmed"]
    # Others may have the bank meanwhile.
    lab.make("between", spec(**QUICK))
    lab.confirms("between")
    assert lab.condition("suspended", "Progressing") == ("False", "Suspended")

    lab.edit("suspended", {"suspend": False})
    lab.confirms("suspended")
    lab.ran_once("suspended", steps=2)


def test_the_spec_of_an_experiment_cannot_be_edited(lab: Lab) -> None:
    lab.make("frozen", spec(suspend=True))
    frozen = ("--namespace", lab.namespace, "patch", "race", "frozen", "--type=merge")

    refused = try_kubectl(*frozen, "--patch", '{"spec": {"replicas": [3]}}')
    assert refused.returncode != 0
    assert "frozen" in refused.stderr
    assert "suspend, abort" in refused.stderr
    allowed = try_kubectl(*frozen, "--patch", '{"spec": {"ttlSecondsAfterFinished": 1000}}')
    assert allowed.returncode == 0, allowed.stderr


@contextlib.contextmanager
def autoscaler(lab: Lab) -> Iterator[None]:
    """Have something else scale the bank."""
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": BANK}
    other: Any = {"metadata": {"name": "other"}, "spec": {"scaleTargetRef": scaled, "minReplicas": 1, "maxReplicas": 5}}
    api = client.AutoscalingV2Api(lab.api)
    api.create_namespaced_horizontal_pod_autoscaler(lab.namespace, other)
    try:
        yield
    finally:
        api.delete_namespaced_horizontal_pod_autoscaler("other", lab.namespace)


def test_with_an_autoscaler_on_the_bank_an_experiment_does_not_touch_it(lab: Lab) -> None:
    with autoscaler(lab):
        before = len(lab.watching.changes)
        lab.make("conflict", spec())
        status = lab.ends("conflict")

    assert status["verdict"] == "Unknown"
    assert "HorizontalPodAutoscaler other scales the bank as well" in status["steps"][0]["reason"]
    assert lab.condition("conflict", "ScaleConflict") == ("True", "Autoscaler")
    assert "originalReplicas" not in status
    seen = [change for change in lab.watching.changes[before:] if change.name == BANK]
    assert {change.object["spec"]["replicas"] for change in seen} <= {REPLICAS_BEFORE}


def test_an_autoscaler_that_comes_in_mid_load_ends_the_experiment_as_unknown(lab: Lab) -> None:
    lab.make("conflict-later", spec(load={"requests": 200}))
    lab.is_loaded("conflict-later")
    with autoscaler(lab):
        status = lab.ends("conflict-later")

    assert status["verdict"] == "Unknown"
    assert lab.condition("conflict-later", "ScaleConflict") == ("True", "Autoscaler")
    assert lab.condition("conflict-later", "Restored") == ("True", "GivenBack")


def queued(lab: Lab, name: str, behind: str) -> None:
    """Wait until an experiment waits for another one, and says so."""

    def waits() -> bool:
        status = lab.status(name)
        return status.get("stage") == "Queued" and behind in status["message"]

    lab.watching.wait(f"{name} to be queued behind {behind}", waits)


def test_a_second_experiment_waits_for_the_first_and_says_so(lab: Lab) -> None:
    lab.make("one", spec())
    lab.reaches("one", "replicas")
    lab.make("two", spec(**QUICK))
    queued(lab, "two", "one")
    assert lab.condition("two", "Progressing") == ("False", "Queued")

    lab.confirms("one")
    status = lab.confirms("two")
    assert status["originalReplicas"] == REPLICAS_BEFORE


def test_when_the_active_one_of_three_is_deleted_the_others_are_performed_in_their_order(lab: Lab) -> None:
    lab.make("first", spec(load={"requests": 400}))
    lab.is_loaded("first")
    lab.make("second", spec(**QUICK))
    queued(lab, "second", "first")
    lab.make("third", spec(**QUICK))
    queued(lab, "third", "first")
    lab.delete("first")

    lab.is_gone("first", 30)
    second, third = lab.ends("second"), lab.ends("third")
    assert (second["verdict"], third["verdict"]) == ("Confirmed", "Confirmed")
    assert second["completionTime"] <= third["completionTime"]
    assert second["originalReplicas"] == third["originalReplicas"] == REPLICAS_BEFORE


def test_an_experiment_waits_for_a_bank_that_is_not_there_and_can_be_deleted_without_it(lab: Lab) -> None:
    lab.kubectl("delete", f"deployment/{BANK}", "--wait")
    try:
        lab.make("missing", spec(**QUICK))
        lab.watching.wait("it to hold", lambda: lab.condition("missing", "Progressing") == ("False", "TargetMissing"))
        assert BANK in lab.status("missing")["message"]
        # Of two that were made within one second the first by name comes first.
        lab.make("never", spec(**QUICK))
        queued(lab, "never", "missing")
        lab.delete("never")
        lab.is_gone("never", 30)
    finally:
        lab.install()

    lab.confirms("missing")


def test_an_experiment_whose_bank_goes_in_mid_load_can_be_deleted(lab: Lab) -> None:
    lab.make("bereft", spec())
    lab.is_loaded("bereft")
    lab.kubectl("delete", f"deployment/{BANK}", "--wait")
    try:
        lab.delete("bereft")
        lab.is_gone("bereft", 30)
        lab.watching.wait("its load to end", lambda: not lab.working_loads(), 45)
    finally:
        lab.install()


def test_a_finished_experiment_is_deleted_when_its_time_is_over(lab: Lab) -> None:
    lab.make("short-lived", spec(**QUICK, ttlSecondsAfterFinished=1))
    lab.make("kept", spec(**QUICK))

    lab.is_gone("short-lived", 60)
    lab.confirms("kept")
    last = [change.object for change in lab.watching.changes if change.name == "short-lived"][-1]
    assert last["status"]["verdict"] == "Confirmed"


def test_probes_and_metrics_of_the_operator_agree_with_the_experiments(lab: Lab) -> None:
    lab.make("counted", spec(**QUICK))
    lab.ends("counted")
    lab.make("held", spec(suspend=True))
    lab.watching.wait("it to hold", lambda: lab.status("held").get("stage") == "Suspended")

    service = f"/api/v1/namespaces/{lab.namespace}/services/{RELEASE}-operator:8080/proxy"
    assert lab.kubectl("get", "--raw", f"{service}/healthz") == "ok\n"
    phases = {"Finished": 1, "Suspended": 1}

    def samples() -> dict[str, float]:
        lines = lab.kubectl("get", "--raw", f"{service}/metrics").splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def agreeing() -> dict[str, float] | None:
        seen = samples()
        experiments = {name: count for name, count in seen.items() if "operator_experiments{" in name and count}
        wanted = {f'racelab_operator_experiments{{phase="{phase}"}}': count for phase, count in phases.items()}
        return seen if experiments == wanted else None

    seen = eventually("metrics that agree", agreeing, 20)
    assert seen["racelab_operator_reconcile_seconds_count"] > 10
    assert seen["racelab_operator_reconcile_seconds_sum"] > 0
    assert "# TYPE racelab_operator_reconcile_errors_total counter" in lab.kubectl("get", "--raw", f"{service}/metrics")
