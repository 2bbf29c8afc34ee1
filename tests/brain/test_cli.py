"""The command line: what is printed where, the exit codes, and that a wrong word starts nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from brain.simulated_platform import Faults, World
from brain.wrong_files import GOOD, WRONG
from racelab_operator import cli_run, cli_up
from racelab_operator.catalog import catalog
from racelab_operator.cli import cli, main
from racelab_operator.platforms.local.addresses import Addresses
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.version import __version__

RACE = GOOD.replace("row_lock", "row_lock, atomic_only").replace("wrong", "small") + "  load: {requests: 10}\n"


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RACELAB_HOME", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    Path("race.yaml").write_text(RACE)


@pytest.fixture
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        pytest.fail("a lab was started")

    monkeypatch.setattr(cli_run, "LocalLab", started)
    monkeypatch.setattr(cli_up, "LocalLab", started)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    lab = FakeLab()
    monkeypatch.setattr(cli_run, "LocalLab", lab.made)
    monkeypatch.setattr(cli_run, "LocalPlatform", lab.platform)
    monkeypatch.setattr("racelab_operator.run.PAUSE_SECONDS", 0)
    return lab


class FakeLab:
    """A lab without processes; its platform lives in memory, and time passes with every look at it."""

    def __init__(self) -> None:
        self.addresses = Addresses("http://h", "https://h", "http://127.0.0.1:9", Path("root.crt"), "token", "", ())
        self.faults = Faults()
        self.calls: list[Any] = []
        self.refusal: LabError | None = None

    def made(self, **arguments: Any) -> FakeLab:
        self.calls.append(("made", arguments["home"], arguments["workers"]))
        return self

    def start(self, replicas: int, most: int, _progress: object) -> None:
        self.calls.append(("start", replicas, most))
        if self.refusal:
            raise self.refusal

    def close(self) -> None:
        self.calls.append("close")

    def failed_processes(self) -> dict[str, str]:
        return {}

    def platform(self, _lab: object, _auditor: object, *, live: bool) -> Any:
        world = World(Random(1), self.faults, original_replicas=None)
        assert not live

        def observe(*arguments: Any) -> Any:
            world.tick(0.5)
            return replace(world.observe(*arguments), at=2e9)

        return SimpleNamespace(observe=observe, act=world.act)


def test_a_run_prints_its_table_writes_its_report_and_ends_its_lab(
    lab: FakeLab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "race.yaml", "--json", "report.json"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()[:3]] == [
        "step",
        *(f"3-replicas-{name}-read-committed-0ms" for name in ("row_lock", "atomic_only")),
    ]
    assert out.splitlines()[-1] == "small: Confirmed (2 of 2 steps Confirmed)"
    assert [line[:4] for line in err.splitlines()] == ["live", "1/2 ", "2/2 "]
    assert lab.calls == [("made", Path(".racelab").absolute(), 1), ("start", 3, 3), "close"]

    assert main(["report", "report.json"]) == 0
    assert capsys.readouterr().out == out


def test_json_to_standard_output_leaves_it_to_the_report(lab: FakeLab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "race.yaml", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == "Confirmed"
    assert "small: Confirmed" in err


def test_quiet_prints_nothing(lab: FakeLab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "race.yaml", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_several_experiments_share_a_lab_and_a_report(lab: FakeLab, capsys: pytest.CaptureFixture[str]) -> None:
    Path("wide.yaml").write_text(RACE.replace("small", "wide") + "  replicas: [2, 7]\n")
    assert main(["run", "race.yaml", "wide.yaml", "--json", "-", "--quiet"]) == 0
    assert [report["experiment"] for report in json.loads(capsys.readouterr().out)] == ["small", "wide"]
    assert ("start", 3, 7) in lab.calls


def test_a_platform_that_dies_gives_exit_code_3_with_the_reason(
    lab: FakeLab, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.faults = Faults(failure=1)
    assert main(["run", "race.yaml"]) == 3
    assert "postgresql died: No space left on device" in capsys.readouterr().out


@pytest.mark.parametrize("code", [2, 3])
def test_what_keeps_the_lab_from_starting_is_told_in_a_line(
    lab: FakeLab, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    lab.refusal = LabError("port 8443 is in use: choose another with --https-port or leave it out", code)
    assert main(["run", "race.yaml"]) == code
    assert capsys.readouterr() == ("", f"racelab: {lab.refusal}\n")
    assert lab.calls[-1] == "close"


@pytest.mark.usefixtures("no_lab")
@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_gives_exit_code_2_and_one_line_and_starts_nothing(
    capsys: pytest.CaptureFixture[str], case: str, command: str
) -> None:
    content, expected = WRONG[case]
    Path("wrong.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main([command, "race.yaml", "wrong.yaml"]) == 2
    assert capsys.readouterr() == ("", f"wrong.yaml{expected}\n")


WRONG_WORDS: dict[str, tuple[list[str], str]] = {
    "no file": (["run"], "Missing argument 'FILE…'"),
    "a missing file": (["run", "none.yaml"], "none.yaml: no such file: check the name"),
    "a directory": (["run", "."], ".: is a directory: name the files in it"),
    "a missing directory for the report": (["run", "race.yaml", "--json", "none/out"], "there is no directory none"),
    "a directory as the report": (["run", "race.yaml", "--json", "."], "is a directory: name a file"),
    "an unknown flag": (["run", "race.yaml", "--jsn", "x"], "No such option"),
    "an unknown command": (["rn"], "No such command"),
    "a port out of range": (["up", "--http-port", "70000"], "70000 is not in the range 1<=x<=65535"),
    "too many replicas": (["up", "--replicas", "33"], "33 is not in the range 1<=x<=32"),
    "no workers": (["run", "race.yaml", "--workers", "0"], "0 is not in the range 1<=x<=64"),
    "a slowness out of range": (["up", "--delay-scale", "11"], "11.0 is not in the range 0<=x<=10"),
    "a slowness that is no number": (["up", "--delay-scale", "nan"], "nan is not in the range 0<=x<=10"),
    "a user without a colon": (["up", "--user", "ann"], "--user: given no colon, allowed NAME:PASSWORD"),
    "a user without a name": (["up", "--user", ":secret"], "--user: given the name '', allowed 1 to 150 letters"),
    "a user without a password": (["up", "--user", "ann:"], "--user: given no password for ann"),
    "a user's name with a slash": (["up", "--user", "a/b:x"], "--user: given the name 'a/b', allowed 1 to 150 letters"),
    "a user twice": (["up", "--user", "ann:x", "--user", "ann:y"], "--user: given ann twice"),
    "a user who is the admin": (["up", "--user", "ann:x", "--admin", "ann"], "--user: given ann twice"),
    "an admin without a name": (["up", "--admin", ""], "--admin: given the name '', allowed 1 to 150 letters"),
    "no codes": (["codes", "new", "--count", "0"], "0 is not in the range 1<=x<=1000"),
    "too many codes": (["codes", "new", "--count", "1001"], "1001 is not in the range 1<=x<=1000"),
    "an unknown shell": (["completion", "tcsh"], "'tcsh' is not one of"),
    "a missing report": (["report", "none.json"], "none.json: cannot be read: No such file or directory"),
    "no report": (["report", "race.yaml"], "race.yaml: is not JSON"),
    "an example over a file": (["init", "race.yaml"], "exists already and is left as it is"),
    "an example nowhere": (["init", "none/race.yaml"], "there is no directory none"),
}


@pytest.mark.usefixtures("no_lab")
@pytest.mark.parametrize("case", WRONG_WORDS)
def test_a_wrong_word_gives_exit_code_2_and_says_why(capsys: pytest.CaptureFixture[str], case: str) -> None:
    arguments, message = WRONG_WORDS[case]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("no_lab")
def test_a_suspended_experiment_is_refused_here(capsys: pytest.CaptureFixture[str]) -> None:
    Path("held.yaml").write_text(RACE + "  suspend: true\n")
    assert main(["run", "held.yaml"]) == 2
    assert "spec.suspend is true" in capsys.readouterr().err


def test_without_a_lab_status_says_so_drift_fails_and_down_is_content(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 3
    assert "no lab is running in .racelab" in capsys.readouterr().out
    assert main(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"running": False}
    assert main(["drift"]) == 3
    assert "no lab is running in .racelab: start one with" in capsys.readouterr().err
    assert main(["codes", "new"]) == 3
    assert "no lab is running in .racelab: start one with" in capsys.readouterr().err
    assert main(["down"]) == 0
    assert main(["down", "--quiet"]) == 0
    assert capsys.readouterr().out == "no lab is running in .racelab\n"


def test_the_example_that_init_writes_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "mine.yaml"]) == 0
    assert main(["validate", "mine.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "wrote mine.yaml: run it with `racelab run mine.yaml`",
        "example: 2 steps",
    ]
    text = Path("mine.yaml").read_text(encoding="utf-8")
    assert all(name in text for name in (*catalog().scenarios, *catalog().strategies))


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"racelab {__version__}\n"


@pytest.mark.parametrize("command", ["", "codes new", *cli.commands])
def test_every_help_has_examples(capfd: pytest.CaptureFixture[str], command: str) -> None:
    assert main([*command.split(), "--help"]) == 0
    out = capfd.readouterr().out  # also of a program that the command starts
    assert "Examples:\n" in out
    assert f"racelab {command}".strip() in out.partition("Examples:")[2]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_scripts_are_printed(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert main(["completion", shell]) == 0
    assert "_RACELAB_COMPLETE" in capsys.readouterr().out
