"""Following an experiment on a cluster, without one: what is told of each of its states, and what is handed over."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from brain.samples import anomalous, audit, document, experiment, race
from racelab_operator.cli import main
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.platforms.kubernetes.following import NOT_SEEN_YET, Sight, in_their_order
from racelab_operator.platforms.kubernetes.submitting import Place, manifest, namespace_of
from racelab_operator.race_status import RaceStatus
from racelab_operator.report.build import build_report
from racelab_operator.spec import RaceExperiment
from racelab_operator.status import Status, StepResult
from racelab_operator.status_mapping import told
from racelab_operator.verdict import judge

if TYPE_CHECKING:
    from pathlib import Path

RACE = experiment(strategies=["atomic_only", "row_lock"])
AUDITS = {0: anomalous(), 1: audit(run="sample-uid12-1")}
VERSIONS = {"racelab": "1.2.3"}


def result(index: int) -> StepResult:
    verdict = judge(RACE.steps[index], AUDITS[index])
    return StepResult(
        step=index,
        verdict=verdict.word,
        outcome=AUDITS[index].outcome,
        reason=verdict.reason,
        audit=AUDITS[index],
    )


def found(uid: str = "uid12", **status: Any) -> dict[str, Any]:
    """Give an experiment as the API server gives it, with what the operator stores for this status of the brain."""
    stored = told(RACE, Status(**status), RaceStatus(), 1, 100.0)
    return {
        **document(),
        "metadata": {"name": "sample", "uid": uid},
        "status": stored.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


ENDED = found(
    stage="report", step=1, results=(result(0), result(1)), completed_at=100, verdict="Confirmed", started_at=90
)
HALFWAY = found(stage="load", step=1, results=(result(0),), started_at=90, message="the load runs")


def test_an_experiment_is_followed_until_it_is_finished() -> None:
    sight = Sight(RACE).next(HALFWAY)
    assert (sight.ended, sight.waiting) == (None, None)
    assert (sight.status({}).step, sight.status({}).message) == (1, "the load runs")
    assert sight.next(ENDED).ended == "finished"


@pytest.mark.parametrize("seen", [None, found(uid="another")], ids=["nothing", "another of its name"])
def test_one_that_is_deleted_before_its_end_is_gone(seen: dict[str, Any] | None) -> None:
    sight = Sight(RACE).next(HALFWAY).next(seen)
    report = sight.report({}, VERSIONS, "it was deleted", 100.0)
    assert sight.ended == "gone"
    assert [(step.verdict, step.reason) for step in report.steps][1] == ("Unknown", "it was deleted")
    assert report.verdict == "Unknown"


def test_one_whose_time_to_live_was_over_before_its_end_was_seen_is_finished() -> None:
    last_seen = found(stage="report", step=1, results=(result(0), result(1)), started_at=90)
    sight = Sight(RACE).next(last_seen).next(None)
    assert sight.ended == "finished"
    assert sight.report({}, VERSIONS, "", 100.0).verdict == "Confirmed"


WAITING: dict[str, tuple[dict[str, Any], str]] = {
    "the queue": ({"hold": "Queued", "message": "waiting for other, which has the bank"}, "waiting for other, which"),
    "a target": ({"hold": "TargetMissing", "message": "waiting for Deployment lab-bank"}, "waiting for Deployment"),
    "being resumed": (
        {"hold": "Suspended", "message": "suspended"},
        "suspended: it goes on when spec.suspend is",
    ),
}


@pytest.mark.parametrize("case", WAITING)
def test_what_an_experiment_waits_for_is_told(case: str) -> None:
    status, words = WAITING[case]
    sight = Sight(RACE).next(found(**status))
    assert sight.waiting is not None
    assert sight.waiting.startswith(words)
    assert sight.status({}).message == sight.waiting


def test_one_that_no_operator_has_touched_says_so() -> None:
    assert Sight(RACE).next(document() | {"metadata": {"name": "sample", "uid": "uid12"}}).waiting == NOT_SEEN_YET


def test_a_status_of_another_version_is_told_with_its_field() -> None:
    other = {**ENDED, "status": {"steps": [{"index": -1}]}}
    with pytest.raises(RacelabError, match=r"sample: status\.steps\.0\.\w+: .*use the command line of the cluster's"):
        Sight(RACE).next(other)


def test_with_the_auditor_the_report_is_that_of_a_run_on_this_machine() -> None:
    report = Sight(RACE).next(ENDED).report(AUDITS, VERSIONS, "", 100.0)
    ended = Status(results=(result(0), result(1)), verdict="Confirmed", started_at=90, completed_at=100)
    here = build_report(RACE, ended)
    assert report == here.model_copy(update={"versions": VERSIONS})


def test_without_the_auditor_the_report_has_the_figures_of_the_status() -> None:
    report = Sight(RACE).next(ENDED).report({}, VERSIONS, "", 100.0)
    full = Sight(RACE).next(ENDED).report(AUDITS, VERSIONS, "", 100.0)
    for step, complete in zip(report.steps, full.steps, strict=True):
        for figure in ("operations", "lost", "drift_cents", "absolute_drift_cents", "verdict", "outcome", "reason"):
            assert getattr(step, figure) == getattr(complete, figure), figure
        assert step.latency_milliseconds is None
    assert report.verdict == full.verdict


def test_experiments_are_followed_in_the_order_they_are_performed_in() -> None:
    def made(name: str, second: int, **spec: bool) -> dict[str, Any]:
        stamp = f"2026-01-01T00:00:0{second}Z"
        return {"metadata": {"name": name, "creationTimestamp": stamp}, "spec": spec}

    races = [made("held", 0, suspend=True), made("b", 1), made("a", 1), made("first", 0)]
    races.append(made("ended", 2, suspend=True, abort=True))
    assert [one["metadata"]["name"] for one in in_their_order(races)] == ["first", "a", "b", "ended", "held"]


def in_namespace(name: str | None) -> RaceExperiment:
    given = document()
    given["metadata"] = {"name": "sample"} | ({} if name is None else {"namespace": name})
    return RaceExperiment.model_validate(given)


@pytest.mark.parametrize(
    ("flag", "files", "chosen"),
    [
        (None, [None], "mine"),
        ("lab", [None], "lab"),
        (None, ["lab", None], "lab"),
        ("lab", ["lab"], "lab"),
    ],
)
def test_the_namespace_is_the_flags_else_the_files_else_the_kubeconfigs(
    flag: str | None, files: list[str | None], chosen: str
) -> None:
    assert namespace_of([in_namespace(name) for name in files], flag, "mine") == chosen


@pytest.mark.parametrize(("flag", "files"), [("lab", ["other"]), (None, ["lab", "other"])])
def test_namespaces_that_contradict_each_other_are_refused(flag: str | None, files: list[str | None]) -> None:
    with pytest.raises(WrongUseError, match="given other, and lab before"):
        namespace_of([in_namespace(name) for name in files], flag, "mine")


def test_what_is_handed_over_is_what_the_file_says() -> None:
    given = document(load={"requests": 5}) | {"metadata": {"name": "sample", "labels": {"team": "x"}}}
    assert manifest(RaceExperiment.model_validate(given)) == given
    assert manifest(race()) == document()


def test_commands_that_are_told_name_the_context_that_was_given() -> None:
    assert Place("lab").kubectl("get races") == "kubectl -n lab get races"
    assert Place("lab", "kind").kubectl("get races") == "kubectl --context kind -n lab get races"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--platform", "kubernetes", "--keep"], "--keep: given with --platform kubernetes"),
        (["--platform", "kubernetes", "--workers", "2", "--home", "x"], "--home, --workers: given with"),
        (["--platform", "kubernetes", "--https-port", "8443"], "--https-port: given with --platform kubernetes"),
        (["--namespace", "lab"], "--namespace: given with --platform local"),
        (["--context", "kind"], "--context: given with --platform local"),
        (["--platform", "cloud"], "'cloud' is not one of 'local', 'kubernetes'"),
    ],
)
def test_flags_of_the_other_platform_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    assert main(["run", *flags, str(tmp_path / "none.yaml")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "a: [", "hello", "contexts: 5", "contexts: [{a: b}]", ""])
def test_a_kubeconfig_that_is_none_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file, kubeconfig = tmp_path / "race.yaml", tmp_path / "kubeconfig"
    file.write_text(str(document()).replace("'", '"'))
    if content is not None:
        kubeconfig.write_text(content)
    command = [sys.executable, "-m", "racelab_operator", "run", "--platform", "kubernetes", str(file)]
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    [line] = done.stderr.splitlines()
    assert line.startswith(f"racelab: {kubeconfig}: is no kubeconfig" if content is not None else "racelab: no cluster")
    assert (done.returncode, done.stdout) == (3, "")


def test_commands_for_this_machine_load_nothing_of_clusters() -> None:
    code = "import sys, racelab_operator.cli; print({'kopf', 'kubernetes', 'websocket'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
