"""`racelab up --prometheus`: what it says when it cannot, what it starts, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.programs import descendants, wait_for_end
from monitoring.prometheus_server import Server, eventually, needs_prometheus
from racelab_operator.cli import main
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.ports import LOOPBACK
from racelab_operator.platforms.local.prometheus import ALERTS, Prometheus, configuration, targets
from racelab_operator.platforms.local.state import current_lab
from whole.racelab import Home

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.end()


def test_without_the_program_one_line_says_what_to_install_and_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["up", "--prometheus", "--home", str(tmp_path / "home")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    assert "apt-get install prometheus" in line
    assert not (tmp_path / "home").exists()


def test_a_port_without_prometheus_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--prometheus-port", "9090", "--home", str(tmp_path / "home")]) == 2
    assert "given --prometheus-port 9090 without --prometheus" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_a_port_that_is_in_use_is_named_before_anything_is_started() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=f"port {port} is in use: choose another with --prometheus-port"):
            Prometheus(Path("prometheus"), port)


def test_replicas_are_scraped_by_their_names() -> None:
    assert targets({"bank-0": 9, "bank-1": 10}) == [
        {"targets": ["127.0.0.1:9"], "labels": {"instance": "bank-0"}},
        {"targets": ["127.0.0.1:10"], "labels": {"instance": "bank-1"}},
    ]
    assert targets({}) == []


def test_the_alerts_are_of_the_jobs_that_are_scraped() -> None:
    jobs = {job["job_name"] for job in configuration(9000)["scrape_configs"]}
    assert jobs == {"bank", "auditor"}
    assert configuration(9000)["rule_files"] == [ALERTS.name]
    assert ALERTS.exists()


@needs_prometheus
def test_it_scrapes_a_lab_tells_where_it_is_and_ends_with_it(home: Home) -> None:
    process = home.start("up", "--prometheus", "--replicas", "1")
    record = home.lab(process)
    assert record.addresses is not None
    assert record.addresses.prometheus_url is not None
    prometheus = Server(record.addresses.prometheus_url)
    eventually("everything to be scraped", lambda: set(prometheus.up()) == {"bank-0", "auditor"})
    assert prometheus.number("racelab_balance_drift_cents") == 0

    code, out, _ = home.run("status")
    assert (code, f"metrics  {prometheus.url}" in out) == (0, True)

    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert f"metrics  {prometheus.url} (Prometheus)" in out
    assert (process.returncode, err) == (0, "")
    home.assert_nothing_is_left(record)


@needs_prometheus
def test_it_dies_with_a_lab_that_is_killed_and_its_data_is_there_for_the_next_one(home: Home) -> None:
    process = home.start("up", "--prometheus", "--replicas", "1")
    record = home.lab(process)
    assert record.addresses is not None
    first = Server(record.addresses.prometheus_url or "")
    opened = eventually("a scrape", lambda: first.number("racelab_run_opened_timestamp_seconds"))
    before = first.instant("racelab_run_opened_timestamp_seconds")[0]["value"][0]
    children = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert not wait_for_end(children)
    eventually("the home to be free", lambda: current_lab(home.directory) is None)

    process = home.start("up", "--prometheus", "--replicas", "1")
    record = home.lab(process)
    assert record.addresses is not None
    second = Server(record.addresses.prometheus_url or "")
    [kept] = second.instant("racelab_run_opened_timestamp_seconds", at=before)
    assert float(kept["value"][1]) == opened
    process.terminate()
    process.communicate(timeout=30)
    home.assert_nothing_is_left(record)


@needs_prometheus
def test_a_prometheus_that_dies_is_told_of_and_the_lab_goes_on(home: Home) -> None:
    process = home.start("up", "--prometheus", "--replicas", "1")
    record = home.lab(process)
    [pid] = [child.pid for name, child in record.children if name == "prometheus"]
    os.kill(pid, signal.SIGKILL)
    assert process.stderr is not None
    assert "prometheus died: signal SIGKILL" in process.stderr.readline()
    code, _, _ = home.run("drift")
    assert code == 0
    process.terminate()
    process.communicate(timeout=30)
    home.assert_nothing_is_left(record)


@needs_prometheus
def test_one_that_cannot_start_is_reported_with_its_words_and_nothing_is_left(home: Home) -> None:
    data = home.directory / "prometheus" / "data"
    data.parent.mkdir(parents=True)
    data.write_text("not a folder")
    code, out, err = home.run("up", "--prometheus", "--replicas", "1")
    assert (code, out) == (3, "")
    assert "prometheus ended at its start with exit code" in err
    assert current_lab(home.directory) is None
    assert json.loads((home.directory / "prometheus" / "replicas.json").read_text()) is not None
