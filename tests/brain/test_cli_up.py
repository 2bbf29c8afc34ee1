"""`racelab up`: who can log in, where the password comes from, what is printed; the auditor is a small real server."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from racelab_operator import cli_up
from racelab_operator.cli import main
from racelab_operator.interruption import Interruption
from racelab_operator.platforms.local.addresses import Addresses

if TYPE_CHECKING:
    from brain.fake_auditor import FakeAuditor

MADE = (201, {"name": "x", "superuser": False, "account": 7})


class FakeLab:
    """A lab whose only process is the fake auditor; it stays up for no time at all."""

    def __init__(self, auditor: FakeAuditor) -> None:
        self.addresses = Addresses("http://h:1", "https://h:2", auditor.url, Path("root.crt"), "token", "", ())
        self.calls: list[str] = []
        self.arguments: dict[str, Any] = {}

    def made(self, **arguments: Any) -> FakeLab:
        self.arguments = arguments
        self.calls.append("made")
        return self

    def start(self, replicas: int, progress: object) -> Addresses:
        self.calls.append(f"start {replicas}")
        return self.addresses

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def lab(server: FakeAuditor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLab:
    lab = FakeLab(server)
    monkeypatch.chdir(tmp_path)
    for name in ("RACELAB_HOME", "DATABASE_URL", "RACELAB_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cli_up, "LocalLab", lab.made)
    monkeypatch.setattr(cli_up, "stay_up", lambda lab, _console: lab.calls.append("stay up"))
    server.answers = [MADE]
    return lab


@pytest.fixture
def terminal(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody types the same password at each question; the questions are among the lab's calls."""

    def answer(question: str) -> str:
        lab.calls.append(question)
        return "typed"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(click.termui, "hidden_prompt_func", answer)


def made(server: FakeAuditor) -> list[tuple[str, Any]]:
    return [(path, body) for _, path, _, body in server.asked]


def test_without_flags_nobody_is_made_and_the_older_endpoints_are_named(
    lab: FakeLab, server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up"]) == 0
    assert lab.calls == ["made", "start 3", "stay up", "close"]
    assert lab.arguments["delay_scale"] == 1
    assert server.asked == []
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-4:] == [
        "The endpoints of older systems, in whole units (docs/history.md):",
        "  demo   http://h:1/demo/atomic_long_delay/  account=1 amount=100, or item=1 code=1",
        "  hesap  http://h:1/hesap  sahip=1 artim=20",
        "Ctrl-C ends it.",
    ]


def test_users_are_made_once_the_lab_is_up_and_told_where_to_log_in(
    lab: FakeLab, server: FakeAuditor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RACELAB_ADMIN_PASSWORD", "from the environment")
    assert main(["up", "--admin", "root", "--user", "ann:a:b", "--user", "bob:c", "--delay-scale", "0.1"]) == 0
    assert lab.calls == ["made", "start 3", "stay up", "close"]
    assert lab.arguments["delay_scale"] == 0.1
    assert made(server) == [
        ("/api/users/ann", {"password": "a:b", "superuser": False}),
        ("/api/users/bob", {"password": "c", "superuser": False}),
        ("/api/users/root", {"password": "from the environment", "superuser": True}),
    ]
    out, err = capsys.readouterr()
    assert "  login  http://h:1/auth/login/ as ann, bob, then http://h:1/accounts/withdraw/" in out.splitlines()
    assert "  admin  http://h:1/admin/ as root" in out.splitlines()
    assert not any(secret in out + err for secret in ("a:b", "from the environment"))


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_the_admins_password_is_asked_for_twice_before_anything_is_started(
    lab: FakeLab, server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "--admin", "root"]) == 0
    assert lab.calls == ["Password of root: ", "Repeat for confirmation: ", "made", "start 3", "stay up", "close"]
    assert made(server) == [("/api/users/root", {"password": "typed", "superuser": True})]
    assert "typed" not in "".join(capsys.readouterr())


def test_without_a_terminal_or_a_variable_the_admin_is_refused_and_nothing_is_started(
    lab: FakeLab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert main(["up", "--admin", "root"]) == 2
    assert "given no password for root" in (said := capsys.readouterr().err)
    assert "RACELAB_ADMIN_PASSWORD" in said
    assert lab.calls == []


def test_a_user_whom_the_auditor_refuses_ends_the_lab_with_its_words(
    lab: FakeLab, server: FakeAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [MADE, (422, {"detail": "too common"})]
    assert main(["up", "--user", "ann:a", "--user", "bob:secret"]) == 3
    assert lab.calls == ["made", "start 3", "close"]
    out, err = capsys.readouterr()
    assert err == ("racelab: the user bob could not be made: the auditor refused PUT /api/users/bob: too common\n")
    assert out == ""


@pytest.mark.parametrize("moment", ["start", "stay_up"])
def test_an_interruption_ends_the_lab_in_order_whenever_it_comes(
    lab: FakeLab, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise Interruption(signal.SIGINT)

    monkeypatch.setattr(lab if moment == "start" else cli_up, moment, interrupt)
    assert main(["up"]) == 0
    assert lab.calls[-1] == "close"
