"""`--html` of `racelab run` and `racelab report`: where the page goes, and what is refused before all else."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from brain.report_samples import Explainer, explained, finished, told, whole
from brain.samples import race
from brain.test_cli import RACE, FakeLab
from racelab_operator import cli_cluster_run, cli_run, cli_up
from racelab_operator.auditor import AuditorUnreachableError
from racelab_operator.cli import main
from racelab_operator.report.json import reports_as_json


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RACELAB_HOME", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    Path("race.yaml").write_text(RACE)
    Path("report.json").write_text(reports_as_json([whole()]))


@pytest.fixture
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        pytest.fail("something was started")

    monkeypatch.setattr(cli_run, "LocalLab", started)
    monkeypatch.setattr(cli_up, "LocalLab", started)
    monkeypatch.setattr(cli_cluster_run, "run_on_cluster", started)


class Auditor(Explainer):
    """An auditor's client that only explains."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def auditor(monkeypatch: pytest.MonkeyPatch) -> Auditor:
    lab, auditor = FakeLab(), Auditor(told(explained("17"), count=9))
    monkeypatch.setattr(cli_run, "LocalLab", lab.made)
    monkeypatch.setattr(cli_run, "LocalPlatform", lab.platform)
    monkeypatch.setattr(cli_run, "Auditor", lambda _url, _token: auditor)
    monkeypatch.setattr(cli_run, "server_version", lambda _url: "18.1")
    monkeypatch.setattr("racelab_operator.run.PAUSE_SECONDS", 0)
    return auditor


def test_a_run_writes_its_page_and_the_same_page_comes_from_its_json(
    auditor: Auditor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "race.yaml", "--json", "mine.json", "--html", "mine.html", "--workers", "2"]) == 0
    assert "small: Confirmed" in capsys.readouterr().out
    page = Path("mine.html").read_text(encoding="utf-8")
    assert "operation 17 was lost" in page
    assert "racelab run small.yaml --workers 2" in page
    assert "18.1" in page

    assert main(["report", "mine.json", "--html", "again.html"]) == 0
    assert capsys.readouterr() == ("", "")
    assert Path("again.html").read_text(encoding="utf-8") == page


def test_a_page_on_standard_output_leaves_it_to_the_page(auditor: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "race.yaml", "--html", "-"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("<!doctype html>")
    assert out.endswith("</html>\n")
    assert "small: Confirmed" in err
    assert main(["report", "report.json", "--html", "-"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")


def test_a_run_without_a_report_asks_nobody_who_was_lost(auditor: Auditor) -> None:
    assert main(["run", "race.yaml"]) == 0
    assert auditor.asked == []


def test_an_auditor_that_cannot_tell_does_not_fail_the_run(auditor: Auditor) -> None:
    auditor.answer = AuditorUnreachableError("it is gone")
    assert main(["run", "race.yaml", "--json", "mine.json", "--quiet"]) == 0
    steps = json.loads(Path("mine.json").read_text())["steps"]
    missing = [step["interleavings"]["missing"] for step in steps if step["interleavings"]]
    assert missing == ["the auditor could not tell: it is gone"]


@pytest.mark.usefixtures("no_lab")
@pytest.mark.parametrize("platform", ["local", "kubernetes"])
@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["--html", "-", "--json", "-"], "--html -: given with --json -: name another file for one of them"),
        (["--json", "x", "--html", "./x"], "--html ./x: given with --json ./x: name another file for one of them"),
        (["--html", "there"], "--html there: is a directory: name a file"),
        (["--html", "no/page.html"], "--html no/page.html: there is no directory no: make it first"),
        (["--json", "ok.json", "--html", "there"], "--html there: is a directory: name a file"),
    ],
)
def test_a_page_that_could_not_be_written_is_refused_before_anything_is_started(
    capsys: pytest.CaptureFixture[str], platform: str, outputs: list[str], message: str
) -> None:
    Path("there").mkdir()
    assert main(["run", "race.yaml", "--platform", platform, *outputs]) == 2
    assert capsys.readouterr() == ("", f"racelab: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report.json", "--html", "report.json"], "--html report.json: is the report itself: name another file"),
        (["report.json", "--html", "."], "--html .: is a directory: name a file"),
        (["race.yaml", "--html", "page.html"], "race.yaml: is not JSON"),
    ],
)
def test_a_report_that_cannot_become_a_page_is_told_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    before = Path("report.json").read_text()
    assert main(["report", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert Path("report.json").read_text() == before
    assert not Path("page.html").exists()


def test_a_page_that_can_no_longer_be_written_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert main(["report", "report.json", "--html", "page.html"]) == 3
    assert capsys.readouterr().err == "racelab: --html page.html: cannot be written: No space left on device\n"


def on_cluster(auditor: Explainer | None) -> Any:
    """Give the part of a cluster's run that reports: all experiments have ended."""
    run = cli_cluster_run._ClusterRun.__new__(cli_cluster_run._ClusterRun)
    run._auditor = None if auditor is None else SimpleNamespace(client=auditor)  # type: ignore[assignment]
    run._place = SimpleNamespace(namespace="lab")  # type: ignore[assignment]
    run._reach_auditor = lambda: None  # type: ignore[method-assign]
    return run


@pytest.mark.parametrize(
    ("auditor", "missing"),
    [
        (Explainer(told(explained("17"), count=9)), None),
        (None, "the cluster's auditor could not be reached from here"),
    ],
    ids=["reached", "not reached"],
)
def test_a_clusters_report_has_what_its_auditor_tells_or_says_that_it_could_not_be_asked(
    auditor: Explainer | None, missing: str | None
) -> None:
    [report] = on_cluster(auditor).told([finished()], [race(strategies=["atomic_only"])])
    found = [step.interleavings for step in report.steps if step.interleavings]
    assert [one.missing for one in found] == [missing] * 2
    assert report.command == "racelab run sample.yaml --platform kubernetes --namespace lab"
    assert report.experiment_file["metadata"] == {"name": "sample"}
