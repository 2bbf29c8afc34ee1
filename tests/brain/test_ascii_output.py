"""Output where the encoding lacks a sign, and where the terminal is narrow."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from brain.report_samples import finished
from racelab_operator.report.ascii import write_what_can_be
from racelab_operator.report.json import reports_as_json
from racelab_operator.report.table import print_report

if TYPE_CHECKING:
    from pathlib import Path


def test_a_report_is_printed_also_where_only_ascii_can_be(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(reports_as_json([finished(windowMilliseconds=[5])]), encoding="utf-8")
    own = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "racelab_operator", "report", str(file)]
    done = subprocess.run(command, env=own, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "-187.00" in done.stdout.decode("ascii")


def test_streams_that_are_not_strict_are_left_as_they_are() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", errors="ignore")
    write_what_can_be([stream])
    assert stream.errors == "ignore"


@pytest.mark.parametrize(
    ("width", "name"), [(80, "3× atomic_only"), (200, "3-replicas-atomic_only-read-committed-5ms")]
)
def test_names_are_short_where_they_do_not_fit_whole(width: int, name: str) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    print_report(finished(windowMilliseconds=[5]), screen)
    assert isinstance(screen.file, io.StringIO)
    shown = screen.file.getvalue()
    assert name in shown
    assert "…" not in shown
