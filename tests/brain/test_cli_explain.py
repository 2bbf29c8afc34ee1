"""`racelab explain`: who was lost, and to whom, as text, drawings or JSON; and what is told when there is nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from racelab_operator import keeping
from racelab_operator.cli import main
from racelab_operator.platforms.local.addresses import Addresses

if TYPE_CHECKING:
    from brain.fake_auditor import FakeAuditor

RUN = (200, {"key": "mine-1", "state": "closed", "generators": 1})
DRAWN = {
    "kind": "lost_update", "operations": ["1", "2"], "sentence": "operation 1 was lost", "reason": "row_lock would …",
    "lanes": [], "events": [], "notes": [], "text": "operation 1 | operation 2\n", "svg": "<svg/>",
}  # fmt: skip


def page(*drawn: dict[str, Any], count: int | None = None, told: str | None = None) -> tuple[int, Any]:
    found = len(drawn) if count is None else count
    return 200, {"run": "mine-1", "count": found, "told": told, "interleavings": list(drawn)}


@pytest.fixture
def running(server: FakeAuditor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeAuditor:
    addresses = Addresses("http://h:1", "https://h:2", server.url, Path("root.crt"), "token", "", ())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RACELAB_HOME", raising=False)
    monkeypatch.setattr(keeping, "current_lab", lambda _home: SimpleNamespace(addresses=addresses))
    return server


def test_the_first_ones_are_printed_and_how_many_more_there_are(
    running: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    running.answers = [RUN, page(DRAWN, DRAWN, count=191)]
    assert main(["explain", "mine-1", "--limit", "2"]) == 0
    assert running.asked[1][1] == "/api/runs/mine-1/interleavings?limit=2&drawing=false"
    text = DRAWN["text"]
    assert capsys.readouterr().out == f"{text}\n\n{text}\n2 of 191: --limit shows more\n"


def test_one_operation_is_asked_for_by_its_key(running: FakeAuditor, capsys: pytest.CaptureFixture[str]) -> None:
    running.answers = [RUN, page(told="operation a&b is in the ledger: nobody overwrote it")]
    assert main(["explain", "mine-1", "--operation", "a&b"]) == 0
    assert running.asked[1][1].endswith("&operation=a%26b")
    assert capsys.readouterr().out == "operation a&b is in the ledger: nobody overwrote it\n"


def test_it_is_printed_as_json(running: FakeAuditor, capsys: pytest.CaptureFixture[str]) -> None:
    running.answers = [RUN, page(DRAWN)]
    assert main(["explain", "mine-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == page(DRAWN)[1]


def test_drawings_are_written_to_a_file_or_a_directory(running: FakeAuditor, tmp_path: Path) -> None:
    running.answers = [RUN, page(DRAWN)]
    assert main(["explain", "mine-1", "--limit", "1", "--svg", "one.svg"]) == 0
    assert (tmp_path / "one.svg").read_text() == "<svg/>"
    (tmp_path / "drawings").mkdir()
    running.answers = [RUN, page(DRAWN, DRAWN)]
    assert main(["explain", "mine-1", "--svg", "drawings"]) == 0
    assert sorted(path.name for path in (tmp_path / "drawings").iterdir()) == ["1.svg", "2.svg"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--svg", "one.svg"], "--svg one.svg: one file for up to 3 drawings: name a directory, or say --limit 1"),
        (["--svg", "no/one.svg", "--limit", "1"], "--svg no/one.svg: there is no directory no: make it first"),
        (["--svg", "no/"], "--svg no/: there is no directory no: make it first"),
    ],
)
def test_a_place_that_cannot_be_drawn_in_is_told_before_anything_is_asked(
    running: FakeAuditor, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["explain", "mine-1", *arguments]) == 2
    assert told in capsys.readouterr().err
    assert running.asked == []


def test_what_is_not_there_is_told(running: FakeAuditor, capsys: pytest.CaptureFixture[str]) -> None:
    running.answers = [RUN, (404, {"detail": "no"})]
    assert main(["explain", "mine-1", "--operation", "9"]) == 2
    assert "--operation: given 9, which run mine-1 does not have" in capsys.readouterr().err
    running.answers = [(404, {"detail": "no"}), (200, [RUN[1]])]
    assert main(["explain", "mine-2"]) == 2
    assert "did you mean mine-1?" in capsys.readouterr().err
