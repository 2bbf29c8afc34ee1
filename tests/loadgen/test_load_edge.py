"""racelab-load against a real Caddy, and its command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from loadgen.scripted_server import Script
from racelab_loadgen.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from loadgen.conftest import Edge, Load, Serve
    from loadgen.scripted_server import Request, ServerConnection


@pytest.mark.parametrize("arrival", ["closed", "burst", "single-packet"])
def test_every_operation_is_answered_once(edge: Edge, load: Load, arrival: str) -> None:
    outcome = load(edge.url(), "--requests", 300, "--concurrency", 100, "--arrival", arrival)
    assert outcome.code == 0
    assert outcome.counts == (300, 0, 0)
    assert sorted(int(line["operation"]) for line in outcome.history[:-1]) == list(range(300))
    assert {line["replica"] for line in outcome.history[:-1]} == {"edge"}
    assert outcome.history[-1]["end"] == 300
    assert outcome.summary["operations"] == {"ok": 300, "fail": 0, "info": 0}


def test_more_clients_than_streams_take_more_connections(edge: Edge, load: Load) -> None:
    outcome = load(edge.url(), "--requests", 1200, "--concurrency", 600, "--arrival", "burst")
    assert outcome.counts == (1200, 0, 0)
    assert outcome.summary["connections"] == 3
    assert outcome.summary["maximum_concurrent_streams"] == 250


def test_a_refusal_is_a_fail_and_a_bad_gateway_is_unknown(edge: Edge, load: Load) -> None:
    assert load(edge.url("/refuse"), "--requests", 3).counts == (0, 3, 0)
    outcome = load(edge.url("/fail"), "--requests", 3)
    assert outcome.counts == (0, 0, 3)
    assert outcome.history[0]["error"] == "status 502"


def test_http2_is_spoken_without_tls_too(edge: Edge, load: Load) -> None:
    outcome = load(f"http://localhost:{edge.plain_port}/", "--requests", 20, "--concurrency", 5)
    assert outcome.counts == (20, 0, 0)


def test_a_duration_ends_the_run(edge: Edge, load: Load) -> None:
    outcome = load(edge.url(), "--duration-seconds", 0.3, "--concurrency", 4)
    assert outcome.code == 0
    assert 0.29 <= outcome.summary["seconds"] < 3
    assert outcome.counts[0] == outcome.history[-1]["end"] > 4
    assert outcome.counts[1:] == (0, 0)


def test_memory_does_not_grow_with_the_number_of_operations(edge: Edge) -> None:
    def peak_kilobytes(requests: int) -> int:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "racelab_loadgen", "run", "--url", edge.url(), "--ca-file", edge.authority),
                *("--requests", str(requests), "--concurrency", "32"),
            ],
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss

    # 20,000 lines of history are 5 MB, and more as objects.
    assert peak_kilobytes(22_000) - peak_kilobytes(2_000) < 3_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_sending_and_keeps_the_history(
    serve: Serve, edge: Edge, tmp_path: Path, number: signal.Signals
) -> None:
    class Holding(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            if connection.posts != 5:
                connection.answer(request)

    server = serve(Holding())
    history = tmp_path / "history.ndjson"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "racelab_loadgen", "run", "--url", server.url, "--ca-file", edge.authority),
            *("--duration-seconds", "60", "--concurrency", "2", "--history", history, "--json"),
        ],
        stdout=subprocess.PIPE,
    )
    deadline = time.monotonic() + 20
    while len(server.bodies) < 50:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    time.sleep(0.2)
    # The second one does not wait for the answer that never comes.
    process.send_signal(number)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    assert lines[-1]["end"] == len(lines) - 1 == sum(json.loads(out)["operations"].values())
    assert [line["operation"] for line in lines[:-1] if line["type"] == "info"] == ["4"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--url", "https://x/"], "either --requests or --duration-seconds"),
        (["run", "--url", "https://x/", "--requests", "1", "--duration-seconds", "1"], "either --requests or"),
        (["run", "--url", "ftp://x/", "--requests", "1"], "'ftp://x/' has scheme 'ftp'"),
        (["run", "--url", "https://x/ä", "--requests", "1"], "percent-encode"),
        (["run", "--url", "https://x:port/", "--requests", "1"], "port"),
        (["run", "--url", "https://x/", "--requests", "0"], "0 is not in the range x>=1"),
        (["run", "--url", "https://x/", "--requests", "1", "--form", "{id}"], "{id}: allowed are {account}"),
        (["run", "--url", "https://x/", "--requests", "1", "--form", "a", "--body", "b"], "either --form or --body"),
        (["plan", "--requests", "1", "--form", "a", "--body", "b"], "either --form or --body"),
        (["run", "--url", "https://x/", "--requests", "1", "--body", "@/no/such"], "/no/such cannot be read: No such"),
        (["run", "--url", "https://x/", "--requests", "1", "--method", "A B"], "'A B' is no HTTP token"),
        (["run", "--url", "https://x/", "--requests", "1", "--method", "CONNECT"], "opens a tunnel"),
        (["run", "--url", "https://x/", "--requests", "1", "--ok", "99"], "99 is not in the range 200<=x<=599"),
        (["run", "--url", "https://x/", "--requests", "1", "--insecure", "--ca-file", __file__], "either --ca-file or"),
        (["run", "--url", "https://x/", "--requests", "1", "--auditor", "http://a"], "belong together"),
        (["run", "--url", "https://x/", "--requests", "1", "--auditor", "http://a", "--run", "r"], "RACELAB_TOKEN"),
        (["run", "--url", "https://x/", "--requests", "1", "--arrival", "flood"], "'flood' is not one of"),
        (["run", "--url", "https://x/", "--requests", "1", "--generator", "1"], "generator 1 of 1: allowed is 0 to 0"),
        (["plan"], "give --requests"),
        (["plan", "--requests", "1", "--account", "1", "--accounts", "2"], "either --accounts or --account"),
    ],
)
def test_wrong_use_is_exit_code_2_with_what_is_allowed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.delenv("RACELAB_TOKEN", raising=False)
    assert main(arguments) == 2
    assert told in re.sub(r"\s+", " ", capsys.readouterr().err)


def test_a_file_that_is_no_certificate_authority_is_wrong_use(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.crt"
    wrong.write_text("no certificate")
    assert main(["run", "--url", "https://x/", "--requests", "1", "--ca-file", str(wrong)]) == 2
    assert "holds no certificate authority" in capsys.readouterr().err


def test_a_full_disk_ends_the_run_with_exit_code_3(edge: Edge, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        [
            *("run", "--url", edge.url(), "--ca-file", str(edge.authority), "--requests", "2000"),
            *("--concurrency", "16", "--history", "/dev/full"),
        ]
    )
    assert code == 3
    assert "the history cannot be written" in capsys.readouterr().err


def test_the_plan_command_prints_count_and_hash_of_what_it_lists(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["plan", "--requests", "12", "--seed", "7", "--accounts", "3"]
    assert main(flags) == 0
    first = capsys.readouterr().out
    assert main(flags) == 0
    assert capsys.readouterr().out == first
    assert re.fullmatch(r"12 operations, sha256 [0-9a-f]{64}\n", first)
    assert main([*flags, "--operations"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert json.loads(lines[11])["operation"] == "11"


def test_help_version_and_catalog_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        (["--version"], "racelab-load, version"),
        (["run", "--help"], "Examples"),
        (["catalog"], "closed"),
    ):
        assert main(arguments) == 0
        assert told in capsys.readouterr().out
