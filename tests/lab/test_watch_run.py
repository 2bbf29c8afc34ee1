"""`racelab run` on a terminal, with everything real."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lab.programs import descendants, wait_for_end
from lab.terminals import on_terminal, picture, restored, settings
from racelab_operator.money import cents_as_text
from racelab_operator.report.json import read_reports
from whole.racelab import experiment

if TYPE_CHECKING:
    from pathlib import Path

ROW = re.compile(r"^  (\S+ \S+|\S+) +(\d+) +(\S+) +(\d+) +(\d+)  ([▁▂▃▄▅▆▇█]+) +(\w+)$")


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A racy and a safe step of some tenths of a second on two replicas."""
    path = tmp_path / "experiment.yaml"
    path.write_text(experiment("deposit", "atomic_only, row_lock", replicas="2", requests=150))
    return str(path)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_last_picture_agrees_with_the_report(tmp_path: Path, file: str, columns: int) -> None:
    with on_terminal(
        "run", "--home", str(tmp_path / "home"), "--json", str(tmp_path / "report.json"), file, columns=columns
    ) as screen:
        code = screen.exit_code()
    left = picture(screen.raw)
    rows = [found.groups() for line in left if (found := ROW.match(line))]
    assert [row[-1] for row in rows] == ["Confirmed", "Confirmed"], "\n".join(left)
    assert code == 0
    [report] = read_reports(tmp_path / "report.json")
    for (_, written, drift, lost, stale, bars, _), step in zip(rows, report.steps, strict=True):
        assert (written, drift) == (str(step.entries), cents_as_text(step.drift_cents or 0))
        assert (lost, stale) == (str(step.lost), str(step.culprits))
        assert ("█" in bars) == (step.lost != 0)
    assert [row[0] for row in rows] == (
        ["2× atomic_only", "2× row_lock"]
        if columns == 80
        else ["2-replicas-atomic_only-read-committed-3ms", "2-replicas-row_lock-read-committed-3ms"]
    )
    assert restored(screen.raw)


def test_ctrl_c_under_load_gives_the_terminal_back_and_tells_what_was_done(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(experiment("deposit", "row_lock", replicas="2", requests=100_000))
    with on_terminal("run", "--home", str(tmp_path / "home"), str(path)) as screen:
        before = settings(screen)
        screen.shows("written · drift 0.00")
        below = descendants(screen.process.pid)
        screen.type("\x03")
        screen.shows("whole: Unknown (0 of 1 steps Confirmed)")
        assert screen.exit_code() == 3
        assert settings(screen) == before
    assert restored(screen.raw)
    assert not wait_for_end(below)


@pytest.mark.parametrize(
    ("changes", "present", "absent"),
    [
        ({"NO_COLOR": "1"}, "Confirmed", "\x1b[32m"),
        ({"LANG": "C"}, "> 2x atomic_only", "▶"),
        ({"TERM": "dumb"}, "1/2 2-replicas-atomic_only", "\x1b["),
    ],
    ids=["no colours", "ASCII", "dumb"],
)
def test_a_terminal_gets_what_it_can_show(
    tmp_path: Path, file: str, changes: dict[str, str], present: str, absent: str
) -> None:
    with on_terminal("run", "--home", str(tmp_path / "home"), file, columns=80, changes=changes) as screen:
        assert screen.exit_code() == 0
    while_it_ran = screen.raw.decode().partition("operations")[0]
    assert present in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", while_it_ran)
    assert absent not in while_it_ran
