"""`racelab run --platform kubernetes` on a lab that the chart installed."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.cluster import kubectl
from cluster.commands import ended, experiment_file, run, start, terminal
from cluster.lab import QUICK, Lab, spec
from cluster.relay import Relay
from racelab_operator.report.json import read_reports

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

READABLE = ("step", "operations", "lost", "drift", "serial", "claim", "outcome", "verdict")


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """Two steps of twenty deposits on one replica."""
    both = spec(**QUICK | {"replicas": [1], "strategies": ["row_lock", "f_expression"]})
    return experiment_file(tmp_path, "quick", both, labels={"team": "red"})


@pytest.fixture
def slow(tmp_path: Path) -> str:
    """Two steps of a quarter of a minute each."""
    load = {"durationSeconds": 15, "requests": None}
    both = spec(replicas=[1], strategies=["row_lock", "f_expression"], load=load)
    both["load"].pop("requests")
    return experiment_file(tmp_path, "slow", both)


def test_an_experiment_is_performed_and_reported_as_on_ones_own_machine(lab: Lab, quick: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run(lab, quick, "--json", str(report))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "quick: Confirmed (2 of 2 steps Confirmed)"), done
    assert tuple(done.stdout.splitlines()[0].split()) == READABLE
    assert [line[:4] for line in done.stderr.splitlines() if "/2 " in line] == ["1/2 ", "2/2 "]
    [told] = read_reports(report)
    for step in told.steps:
        assert (step.entries, step.seconds is None, len(step.replicas_seen)) == (20, False, 1)
    assert set(told.versions) == {"racelab", "kubernetes"}
    assert lab.race("quick")["metadata"]["labels"] == {"team": "red"}


def test_one_that_has_ended_is_made_again_and_one_that_has_not_is_left_alone(lab: Lab, quick: str, slow: str) -> None:
    first = run(lab, quick, "--quiet")
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    uid = lab.race("quick")["metadata"]["uid"]
    lab.kubectl("apply", "--filename", slow)
    lab.is_loaded("slow")
    refused = run(lab, quick, slow)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"slow: is there and has not ended: look at it: `kubectl -n {lab.namespace} get race slow`" in refused.stderr
    assert lab.race("quick")["metadata"]["uid"] == uid
    lab.delete("slow")
    lab.is_gone("slow")
    again = run(lab, quick)
    assert again.returncode == 0
    assert "quick: one that has ended is there: it is deleted and made again" in again.stderr
    assert lab.race("quick")["metadata"]["uid"] != uid


def test_several_are_made_at_once_and_the_waiting_one_says_for_whom(lab: Lab, slow: str, quick: str) -> None:
    lab.kubectl("apply", "--filename", slow)
    lab.is_loaded("slow")
    waiting = start(lab, quick, "--json", "-")
    lab.watching.wait("quick to be queued", lambda: lab.status("quick").get("stage") == "Queued", 60)
    lab.edit("slow", {"abort": True})
    done = ended(waiting)
    assert done.returncode == 0
    assert "quick: waiting for slow, which has the bank" in done.stderr
    assert json.loads(done.stdout)["verdict"] == "Confirmed"


def test_without_a_terminal_a_signal_aborts_the_experiment_and_tells_what_was_done(lab: Lab, slow: str) -> None:
    process = start(lab, slow)
    lab.is_loaded("slow")
    process.send_signal(signal.SIGTERM)
    done = ended(process)
    assert (done.returncode, done.stdout.splitlines()[-1][:15]) == (3, "slow: Unknown ("), done
    assert "aborting slow" in done.stderr
    assert lab.ends("slow")["verdict"] == "Unknown"
    assert lab.race("slow")["spec"]["abort"] is True


@pytest.mark.parametrize("answer", ["n\n", "\x03"], ids=["no", "Ctrl-C again"])
def test_on_a_terminal_ctrl_c_asks_and_the_experiment_may_go_on(lab: Lab, slow: str, answer: str) -> None:
    with terminal(lab, slow) as screen:
        screen.shows("written · drift 0.00")
        screen.type("\x03")
        screen.shows("abort the experiment? [y/N]:")
        screen.type(answer)
        screen.shows("slow has not ended and stays in the cluster:")
        assert screen.exit_code() == 3
    assert "abort" not in lab.race("slow")["spec"] or lab.race("slow")["spec"]["abort"] is False
    assert lab.status("slow").get("completionTime") is None


def test_on_a_terminal_ctrl_c_and_yes_abort_it_and_show_the_table(lab: Lab, slow: str) -> None:
    with terminal(lab, slow) as screen:
        screen.shows("written · drift 0.00")
        screen.type("\x03")
        screen.shows("abort the experiment? [y/N]:")
        screen.type("y\n")
        screen.shows("slow: Unknown (")
        assert screen.exit_code() == 3


def test_a_terminal_that_is_closed_aborts_it(lab: Lab, slow: str) -> None:
    with terminal(lab, slow) as screen:
        screen.shows("written · drift 0.00")
    assert lab.ends("slow")["verdict"] == "Unknown"
    assert lab.race("slow")["spec"]["abort"] is True


def test_one_that_somebody_deletes_ends_the_command(lab: Lab, slow: str) -> None:
    process = start(lab, slow)
    lab.is_loaded("slow")
    lab.delete("slow")
    done = ended(process)
    assert done.returncode == 3
    assert "slow: was deleted before it ended" in done.stderr.splitlines()


def test_an_api_server_that_is_away_for_some_seconds_is_waited_for(lab: Lab, slow: str, tmp_path: Path) -> None:
    with Relay() as relay:
        process = start(lab, slow, KUBECONFIG=str(relay.kubeconfig(tmp_path / "kubeconfig")))
        lab.is_loaded("slow")
        relay.cut()
        lab.reaches("slow", "load", step=1)
        relay.restore()
        done = ended(process)
    assert done.returncode == 0, done
    assert "asking on for 2 minutes" in done.stderr
    assert "the API server answers again" in done.stderr


RACES_ONLY = ("--verb=get,list,create,patch,delete", "--resource=raceexperiments.racelab.dev")


def kubeconfig_of(lab: Lab, account: str, file: Path) -> str:
    """Write a kubeconfig of a service account."""
    config: dict[str, Any] = yaml.safe_load(kubectl("config", "view", "--minify", "--raw", "--flatten"))
    token = lab.kubectl("create", "token", account).strip()
    config["users"] = [config["users"][0] | {"user": {"token": token}}]
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(file)


def test_who_may_do_no_more_than_make_experiments_sees_their_status(lab: Lab, quick: str, tmp_path: Path) -> None:
    lab.kubectl("create", "serviceaccount", "racer")
    try:
        own = kubeconfig_of(lab, "racer", tmp_path / "kubeconfig")
        refused = run(lab, quick, KUBECONFIG=own)
        assert refused.returncode == 3
        assert "raceexperiments.racelab.dev is forbidden" in refused.stderr

        lab.kubectl("create", "role", "racer", *RACES_ONLY)
        binding = ("--role=racer", f"--serviceaccount={lab.namespace}:racer")
        lab.kubectl("create", "rolebinding", "racer", *binding)
        done = run(lab, quick, "--json", str(tmp_path / "report.json"), KUBECONFIG=own)
    finally:
        lab.kubectl("delete", "serviceaccount,role,rolebinding", "racer", "--ignore-not-found")
    assert done.returncode == 0, done
    assert "only what the status says is shown: the API server refused: services is forbidden" in done.stderr
    [told] = read_reports(tmp_path / "report.json")
    assert [(step.operations and step.operations.ok, step.lost, step.entries) for step in told.steps] == [
        (20, 0, None)
    ] * 2


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (
            ["--namespace", "kube-system"],
            3,
            "no racelab is installed in namespace kube-system: `helm upgrade",
        ),
        (["--namespace", "nowhere"], 3, "no racelab is installed in namespace nowhere"),
        (["--context", "nowhere"], 2, "--context: given nowhere, allowed "),
    ],
)
def test_a_wrong_place_is_told_in_one_line(lab: Lab, quick: str, flags: list[str], code: int, message: str) -> None:
    done = run(lab, quick, *flags)
    [line] = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (code, "")
    assert line.startswith(f"racelab: {message}")
