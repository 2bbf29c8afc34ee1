"""`racelab explain`: interleavings as the auditor tells them, printed, drawn into files, and as JSON."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from racelab_operator.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from brain.fake_auditor import FakeAuditor

pytestmark = pytest.mark.usefixtures("running")

RUN = (200, {"key": "mine-1", "state": "closed", "generators": 1})


def explained(operation: str, *, svg: str | None = None) -> dict[str, Any]:
    return {
        "kind": "lost_update", "operations": [operation, "23"], "sentence": f"operation {operation} was lost",
        "reason": "row_lock would have …", "reasons": [{"words": "row_lock would have …", "event": 1}],
        "begin_microseconds": 1, "lanes": [{"name": operation, "transaction": 7}], "versions": [],
        "events": [{"lane": 0, "what": "reads 1.00", "at_microseconds": None}], "notes": [],
        "text": f"operation {operation} was lost\n", "svg": svg,
    }  # fmt: skip


def answer(*interleavings: dict[str, Any], count: int | None = None, told: str | None = None) -> tuple[int, Any]:
    there = len(interleavings) if count is None else count
    return 200, {"run": "mine-1", "count": there, "told": told, "interleavings": list(interleavings)}


def test_the_first_interleavings_are_printed_and_how_many_there_are(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [RUN, answer(explained("17"), explained("18"), explained("19"), count=186)]
    assert main(["explain", "mine-1"]) == 0
    assert [path for _, path, _, _ in server.asked] == [
        "/api/runs/mine-1",
        "/api/runs/mine-1/interleavings?limit=3&drawing=false",
    ]
    assert capsys.readouterr().out.splitlines() == [
        "operation 17 was lost", "", "", "operation 18 was lost", "", "", "operation 19 was lost", "",
        "3 of 186: --limit shows more",
    ]  # fmt: skip


def test_one_operation_can_be_asked_for_whatever_its_key_is(server: FakeAuditor) -> None:
    server.answers = [RUN, answer(explained("a&b=c ü"))]
    assert main(["explain", "mine-1", "--operation", "a&b=c ü", "--limit", "7"]) == 0
    assert server.asked[1][1] == ("/api/runs/mine-1/interleavings?limit=7&drawing=false&operation=a%26b%3Dc+%C3%BC")


def test_where_nobody_was_lost_that_is_said_and_is_no_error(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [RUN, answer(told="no operation was lost, and no two overlooked each other")]
    assert main(["explain", "mine-1"]) == 0
    assert capsys.readouterr().out == "no operation was lost, and no two overlooked each other\n"


def test_a_drawing_is_written_to_a_file(
    server: FakeAuditor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [RUN, answer(explained("17", svg="<svg>ü</svg>"), count=186)]
    assert main(["explain", "mine-1", "--svg", "drawing.svg"]) == 0
    assert server.asked[1][1] == "/api/runs/mine-1/interleavings?limit=1&drawing=true"
    assert (tmp_path / "drawing.svg").read_text(encoding="utf-8") == "<svg>ü</svg>"
    told = capsys.readouterr()
    assert told.err == "drawn in drawing.svg\n"
    assert told.out.startswith("operation 17 was lost\n")


def test_into_a_directory_each_drawing_goes_in_a_file_of_its_own_that_no_key_leads_elsewhere(
    server: FakeAuditor, tmp_path: Path
) -> None:
    (tmp_path / "drawings").mkdir()
    server.answers = [RUN, answer(explained("17", svg="<svg>1</svg>"), explained("../../سلام", svg="<svg>2</svg>"))]
    assert main(["explain", "mine-1", "--svg", "drawings/"]) == 0
    assert {path.name: path.read_text() for path in (tmp_path / "drawings").iterdir()} == {
        "001-lost-update-17.svg": "<svg>1</svg>",
        "002-lost-update.svg": "<svg>2</svg>",
    }


def test_as_json_everything_is_told_as_the_auditor_told_it(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [RUN, answer(explained("17"))]
    assert main(["explain", "mine-1", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value == {"run": "mine-1", "count": 1, "told": None, "interleavings": [explained("17")]}


def test_a_run_that_is_not_there_is_wrong_use_and_the_closest_is_named(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [(404, {"detail": "no"}), (200, [RUN[1]])]
    assert main(["explain", "mine-2"]) == 2
    assert "RUN: there is no run mine-2: did you mean mine-1?" in capsys.readouterr().err


def test_an_operation_that_is_not_there_is_wrong_use(server: FakeAuditor, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers = [RUN, (404, {"detail": "run mine-1 has no operation 99"})]
    assert main(["explain", "mine-1", "--operation", "99"]) == 2
    assert "--operation: given 99, which run mine-1 does not have" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--svg", "no/such.svg"], "--svg no/such.svg: there is no directory no: make it first"),
        (["--svg", "drawings"], "--svg drawings: there is no such directory: make it first, or name a file OUT.svg"),
        (["--svg", "drawing.svg/"], "there is no such directory"),
        (["--svg", "one.svg", "--limit", "3"], "--svg one.svg: is one file, for 3 drawings: name a directory"),
        (["--limit", "0"], "0 is not in the range 1<=x<=100"),
    ],
)
def test_a_wrong_flag_is_told_before_anything_is_asked(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["explain", "mine-1", *arguments]) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert server.asked == []


def test_a_place_that_cannot_be_written_is_told_before_anything_is_asked(
    server: FakeAuditor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere: the answer of the system is taken from it.
    monkeypatch.setattr(os, "access", lambda _place, _mode: False)
    assert main(["explain", "mine-1", "--svg", "drawing.svg"]) == 2
    assert "--svg drawing.svg: cannot be written: choose another place" in capsys.readouterr().err
    assert server.asked == []


def test_a_drawing_that_fails_to_be_written_is_told(
    server: FakeAuditor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "001-lost-update-17.svg").mkdir()
    server.answers = [RUN, answer(explained("17", svg="<svg/>"))]
    assert main(["explain", "mine-1", "--svg", "."]) == 3
    assert "001-lost-update-17.svg: cannot be written: Is a directory" in capsys.readouterr().err
