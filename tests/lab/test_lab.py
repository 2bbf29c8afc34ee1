from __future__ import annotations

import os
import signal
import ssl
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from lab.programs import AS_PLAIN_USER, FAKES, PLAIN_USER, descendants, kill, owner, said, wait_for_end, wait_until
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.lab import LocalLab
from racelab_operator.platforms.local.ports import listen
from racelab_operator.platforms.local.state import current_lab, read, stop_lab

if TYPE_CHECKING:
    from racelab_operator.platforms.local.processes import Identity


def only_what_is_kept(home: Path) -> bool:
    """Tell whether a home holds no sign of a running lab."""
    return {entry.name for entry in home.iterdir()} <= {"lock", "logs", "edge", "postgres"}


def processes_here() -> set[Identity]:
    return descendants(os.getpid())


def test_a_lab_with_its_own_database_comes_up_and_goes_without_trace(home: Path) -> None:
    before, messages = processes_here(), list[str]()
    with LocalLab(home, programs=FAKES, workers=2, purpose="a test") as lab:
        addresses = lab.start(2, progress=messages.append)
        assert lab.ready_replicas() == addresses.replicas == ("bank-0", "bank-1")
        assert not lab.failed_processes()
        with psycopg.connect(addresses.database_url) as connection:
            row = connection.execute("SHOW max_connections").fetchone()
        assert row is not None
        assert int(row[0]) >= 8 * 2 * 3 + 8 + 10, "eight replicas with two workers"
        current = current_lab(home)
        assert current is not None
        assert (current.pid, current.purpose, current.addresses) == (os.getpid(), "a test", addresses)
        sockets = current.socket_directory
        kill(home, "postgresql")
        assert lab.failed_processes()["postgresql"].startswith("signal SIGKILL")
    assert messages[-1].startswith("up in ")
    assert processes_here() == before
    assert only_what_is_kept(home)
    assert not sockets.exists()


def test_starting_twice_in_one_home_is_refused_and_spares_the_first(lab: LocalLab, home: Path) -> None:
    lab.start(1)
    with pytest.raises(LabError, match=rf"a test, process {os.getpid()}") as raised, LocalLab(home) as second:
        second.start(1)
    assert raised.value.exit_code == 2
    assert lab.ready_replicas() == ("bank-0",)
    assert current_lab(home) is not None


def test_a_port_in_use_stops_the_start_and_leaves_nothing(home: Path, lab_database: str) -> None:
    before = processes_here()
    with listen(None, "") as holder:
        port = holder.getsockname()[1]
        for options, name in (({"http_port": port}, "--http-port"), ({"https_port": port}, "--https-port")):
            lab = LocalLab(home, database_url=lab_database, programs=FAKES, **options)
            with pytest.raises(LabError, match=f"port {port} is in use.*{name}"):
                lab.start(1)
    assert processes_here() == before
    assert only_what_is_kept(home)


def test_chosen_ports_are_used(home: Path, lab_database: str) -> None:
    with listen(None, "") as first, listen(None, "") as second:
        ports = [holder.getsockname()[1] for holder in (first, second)]
    with LocalLab(home, http_port=ports[0], https_port=ports[1], database_url=lab_database, programs=FAKES) as lab:
        addresses = lab.start(1)
    assert (addresses.http_url, addresses.https_url) == (
        f"http://127.0.0.1:{ports[0]}",
        f"https://127.0.0.1:{ports[1]}",
    )


def test_replicas_and_auditor_get_one_secret_key_and_the_delay_scale(home: Path, lab_database: str) -> None:
    with LocalLab(home, database_url=lab_database, programs=FAKES, delay_scale=0.5) as lab:
        lab.start(2)
        record = read(home)
        assert record is not None
        children = dict(record.children)
        told = [environment_of(children[name]) for name in ("auditor", "bank-0", "bank-1")]
    assert {environment["RACELAB_DELAY_SCALE"] for environment in told} == {"0.5"}
    assert len({environment["RACELAB_SECRET_KEY"] for environment in told}) == 1
    assert told[0]["RACELAB_SECRET_KEY"]


def environment_of(process: Identity) -> dict[str, str]:
    lines = Path(f"/proc/{process.pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


def test_a_database_with_too_few_connections_is_refused_with_the_numbers(home: Path, lab_database: str) -> None:
    with LocalLab(home, database_url=lab_database, programs=FAKES, workers=5) as lab:
        with pytest.raises(LabError, match=r"3 replicas × 5 workers × 3 .* need 63 connections.* allows 60") as raised:
            lab.start(3)
        assert raised.value.exit_code == 2


@pytest.mark.parametrize(("replicas", "workers"), [(0, 1), (1, 0)])
def test_a_lab_without_replicas_or_workers_is_wrong_use(home: Path, replicas: int, workers: int) -> None:
    with pytest.raises(LabError, match="at least 1 replica and 1 worker") as raised:
        LocalLab(home, workers=workers).start(replicas)
    assert raised.value.exit_code == 2


def test_a_program_that_cannot_start_is_told_with_its_last_words(home: Path, lab_database: str) -> None:
    before = processes_here()
    for broken, name in (
        (replace(FAKES, auditor=(*FAKES.auditor, "--fail", "no tables")), "auditor"),
        (replace(FAKES, bank=(*FAKES.bank, "--fail", "no tables")), "bank-0"),
    ):
        lab = LocalLab(home, database_url=lab_database, programs=broken)
        with pytest.raises(LabError, match=rf"{name} ended at its start with .*exit code 7: no tables"):
            lab.start(1)
    assert processes_here() == before
    assert only_what_is_kept(home)


def test_a_killed_replica_comes_back_and_one_that_keeps_dying_is_reported(lab: LocalLab, home: Path) -> None:
    lab.start(2)
    kill(home, "bank-0")
    assert lab.ready_replicas() == ("bank-1",)
    wait_until(lambda: lab.ready_replicas() == ("bank-0", "bank-1"))
    assert not lab.failed_processes()
    while "bank-1" not in lab.failed_processes():
        record = read(home)
        assert record is not None
        identity = dict(record.children)["bank-1"]
        try:
            os.kill(identity.pid, signal.SIGKILL)
        except ProcessLookupError:
            time.sleep(0.01)
        wait_for_end([identity])
    assert "signal SIGKILL" in lab.failed_processes()["bank-1"]
    assert lab.ready_replicas() == ("bank-0",)


def test_scaling_to_what_is_there_changes_nothing(lab: LocalLab) -> None:
    lab.start(2)
    before = processes_here()
    lab.scale(2)
    assert processes_here() == before
    lab.scale(1)
    wait_until(lambda: len(processes_here()) < len(before))
    assert lab.addresses.replicas == ("bank-0",)


def test_more_replicas_than_the_database_was_made_for_are_refused(home: Path, lab: LocalLab) -> None:
    lab.start(1)
    with pytest.raises(LabError, match=r"need 78 connections.* allows 60"):
        lab.scale(20)


def test_a_load_is_absent_running_and_then_succeeded_or_failed(lab: LocalLab) -> None:
    lab.start(1)
    assert lab.load_state("a/b c").state == "absent"
    lab.start_load("a/b c", [])
    lab.start_load("a/b c", ["--exit", "3"])  # a second start of that name changes nothing
    assert lab.load_state("a/b c").state == "running"
    wait_until(lambda: (lab.home / "logs" / "load-a_b_c.log").stat().st_size > 0)
    lab.stop_load("a/b c")
    wait_until(lambda: lab.load_state("a/b c").state == "succeeded")
    lab.start_load("failing", ["--exit", "3"])
    wait_until(lambda: lab.load_state("failing").state != "running")
    state = lab.load_state("failing")
    assert (state.state, state.reason) == ("failed", "exit code 3: last words, token given")


def test_closing_is_quick_with_a_request_in_flight_and_can_be_repeated(lab: LocalLab, tmp_path: Path) -> None:
    addresses = lab.start(2)
    request = threading.Thread(target=hold, args=(addresses.http_url,))
    request.start()
    wait_until((tmp_path / "long.begun").exists)
    began = time.monotonic()
    lab.close()
    assert time.monotonic() - began < 3
    lab.close()
    request.join()


def hold(url: str) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/hold/long", timeout=30, trust_env=False)


@pytest.mark.parametrize("milliseconds", [0, 20, 60, 150, 300, 600])
def test_an_interrupt_at_any_moment_of_the_start_leaves_nothing(tmp_path: Path, milliseconds: int) -> None:
    process = owner(tmp_path / "home")
    said(process, "starting")
    time.sleep(milliseconds / 1000)  # the moment is arbitrary on purpose
    begun = descendants(process.pid)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    process.communicate()
    assert not wait_for_end(begun)
    assert only_what_is_kept(tmp_path / "home")


def test_killing_the_owner_leaves_no_process_no_socket_and_no_lock(tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = owner(home)
    said(process, "up")
    begun, record = descendants(process.pid), current_lab(home)
    assert record is not None
    names = {name for name, _ in record.children}
    assert {"postgresql", "edge", "auditor", "bank-0", "bank-1", "load"} <= names
    process.kill()
    process.communicate()
    assert not wait_for_end(begun), "the guard ends too"
    assert not record.socket_directory.exists()
    assert only_what_is_kept(home)
    assert not stop_lab(home)


def test_killing_the_owner_in_mid_start_leaves_no_process(tmp_path: Path, lab_database: str) -> None:
    process = owner(tmp_path / "home", "--database", lab_database)
    said(process, "starting")
    wait_until(lambda: any("bank-0" in dict(record.children) for record in [read(tmp_path / "home")] if record))
    begun = descendants(process.pid)
    process.kill()
    process.communicate()
    assert not wait_for_end(begun)


def test_without_the_guard_the_next_lab_sweeps_what_the_kernel_left(home: Path, lab_database: str) -> None:
    process = owner(home, "--database", lab_database)
    said(process, "up")
    record = current_lab(home)
    assert record is not None
    guard = next(
        found
        for found in descendants(process.pid)
        if "local.guard" in (home / f"/proc/{found.pid}/cmdline").read_text()
    )
    os.kill(guard.pid, signal.SIGKILL)
    process.kill()
    process.communicate()
    with LocalLab(home, database_url=lab_database, programs=FAKES) as lab:
        lab.start(1)
        assert not wait_for_end([identity for _, identity in record.children])
        assert not record.socket_directory.exists()


def test_down_ends_a_lab_of_another_process(home: Path, lab_database: str) -> None:
    process = owner(home, "--database", lab_database)
    said(process, "up")
    begun = descendants(process.pid)
    assert stop_lab(home)
    assert not wait_for_end(begun)
    assert process.wait(10) == 0
    process.communicate()
    assert current_lab(home) is None
    assert not stop_lab(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_small_disk_is_told_before_anything_starts(small_disk: Path) -> None:
    before = processes_here()
    with pytest.raises(LabError, match=r"no space for PostgreSQL: .* 2\d MiB free and needs 100 MiB") as raised:
        LocalLab(small_disk / "home", programs=FAKES).start(1)
    assert raised.value.exit_code == 3
    assert processes_here() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="this user is a plain one: the other tests show it")
def test_a_plain_user_can_have_a_lab(plain_home: Path) -> None:
    process = owner(plain_home / "home", prefix=AS_PLAIN_USER)
    said(process, "up")
    begun, record = descendants(process.pid), read(plain_home / "home")
    assert record is not None
    assert record.socket_directory.stat().st_uid == PLAIN_USER
    process.terminate()
    assert process.wait(10) == 0
    assert process.communicate()[1] == ""
    assert not wait_for_end(begun)


def test_the_real_programs_come_up_and_none_survives_a_killed_owner(home: Path) -> None:
    process = owner(home, "--real")
    said(process, "up")
    begun, record = descendants(process.pid), current_lab(home)
    assert record is not None
    assert record.addresses is not None
    context = ssl.create_default_context(cafile=record.addresses.ca_file)
    with httpx.Client(http2=True, verify=context, trust_env=False) as client:
        seen = {client.get(record.addresses.https_url).headers["racelab-replica"] for _ in range(4)}
        assert seen == {"bank-0", "bank-1"}
        runs = f"{record.addresses.auditor_url}/api/runs"
        assert client.get(runs).status_code == 401
        assert client.get(runs, headers={"Authorization": f"Bearer {record.addresses.token}"}).status_code == 200
    process.kill()
    process.communicate()
    assert not wait_for_end(begun)
    assert not record.socket_directory.exists()
    assert only_what_is_kept(home)
