"""`racelab export` and `racelab verify`: a run becomes a whole file or none, and is checked as a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from racelab_operator.cli import main

if TYPE_CHECKING:
    from brain.fake_auditor import FakeAuditor

RUN = (200, {"key": "mine-1", "state": "closed", "generators": 1})
LINES = {"kind": "history"}
EXAMPLE = Path(__file__).parents[2] / "docs/recording/lost-update.jsonl"


def test_a_run_is_written_to_a_file(running: FakeAuditor, tmp_path: Path) -> None:
    running.answers = [RUN, (200, LINES)]
    assert main(["export", "mine-1", "--out", "history.jsonl"]) == 0
    assert [path for _, path, _, _ in running.asked] == ["/api/runs/mine-1", "/api/runs/mine-1/history"]
    assert [path.name for path in tmp_path.iterdir()] == ["history.jsonl"]
    assert json.loads((tmp_path / "history.jsonl").read_bytes()) == LINES


def test_a_run_is_written_to_standard_output(running: FakeAuditor, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    running.answers = [RUN, (200, LINES)]
    assert main(["export", "mine-1"]) == 0
    assert json.loads(capfdbinary.readouterr().out) == LINES


def test_an_export_that_fails_leaves_the_file_that_was_there(
    running: FakeAuditor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "history.jsonl").write_text("the one before")
    running.answers = [RUN, (503, {"detail": "the database is gone"})]
    assert main(["export", "mine-1", "--out", "history.jsonl"]) == 3
    assert "the database is gone" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"history.jsonl": "the one before"}


@pytest.mark.parametrize(
    ("out", "told"),
    [(".", "--out .: is a directory: name a file"), ("no/such/file", "there is no directory no/such: make it first")],
)
def test_a_place_that_cannot_be_written_is_told(
    running: FakeAuditor, capsys: pytest.CaptureFixture[str], out: str, told: str
) -> None:
    running.answers = [RUN, (200, LINES)]
    assert main(["export", "mine-1", "--out", out]) == 2
    assert told in capsys.readouterr().err


def test_an_unknown_run_is_told_with_the_one_that_may_be_meant(
    running: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    running.answers = [(404, {"detail": "no"}), (200, [RUN[1]])]
    assert main(["export", "mine-2"]) == 2
    assert "RUN: there is no run mine-2: did you mean mine-1?" in capsys.readouterr().err


def test_a_file_is_verified_without_a_lab(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(EXAMPLE)]) == 1
    out = capfd.readouterr().out
    assert out.startswith("Anomalous: 1 lost update\n")
    assert "operation first's +10.00 is lost" in out
    assert main(["verify", str(EXAMPLE), "--json", "--anomalies", "0"]) == 1
    told = json.loads(capfd.readouterr().out)
    assert (told["lost"], told["drift_cents"], told["sentences"]) == (1, -1000, [])
    assert told["certificate"]["cycles"] == {"lost_update": 1}


def test_a_wrong_file_is_told_with_its_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cut.jsonl"
    file.write_bytes(EXAMPLE.read_bytes()[:-20])
    assert main(["verify", str(file)]) == 2
    told = capfd.readouterr()
    assert (told.out, told.err.startswith(f"{file}: line 7: the line breaks off")) == ("", True)
    assert main(["verify", str(tmp_path / "missing")]) == 2
    assert "No such file" in capfd.readouterr().err
    assert main(["verify", str(EXAMPLE), "--wrong"]) == 2
    assert "--wrong" in capfd.readouterr().err
