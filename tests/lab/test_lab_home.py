from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racelab_operator.platforms.local.database import check_connections, check_database, connections_needed
from racelab_operator.platforms.local.environments import Environments, clean_environment, without_libpq_settings
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.home import MEBIBYTE, check_space, missing_bytes, open_home
from racelab_operator.platforms.local.ports import LOOPBACK, free_port, listen
from racelab_operator.platforms.local.processes import exit_reason, last_lines

if TYPE_CHECKING:
    from pathlib import Path


@given(st.integers(0, 10**12), st.booleans())
def test_what_a_disk_lacks_is_what_makes_it_enough(free_bytes: int, has_data: bool) -> None:
    lacking = missing_bytes(free_bytes, has_data=has_data)
    assert lacking >= 0
    assert missing_bytes(free_bytes + lacking, has_data=has_data) == 0
    assert lacking == 0 or missing_bytes(free_bytes + lacking - 1, has_data=has_data) == 1


def test_a_database_that_is_there_needs_less_room() -> None:
    assert missing_bytes(60 * MEBIBYTE, has_data=True) == 0
    assert missing_bytes(60 * MEBIBYTE, has_data=False) == 40 * MEBIBYTE


def test_too_little_space_is_told_in_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("racelab_operator.platforms.local.home.missing_bytes", lambda *_args, **_named: MEBIBYTE)
    with pytest.raises(LabError, match=r"MiB free and needs \d+ MiB"):
        check_space(tmp_path, has_data=False)


def test_a_new_home_is_private(tmp_path: Path) -> None:
    open_home(tmp_path / "deep" / "home")
    assert (tmp_path / "deep" / "home").stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_a_file_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="--home") as raised:
        open_home(tmp_path / "file")
    assert raised.value.exit_code == 2


@given(st.integers(1, 50), st.integers(1, 20))
def test_connections_are_refused_exactly_when_they_do_not_suffice(replicas: int, workers: int) -> None:
    needed = connections_needed(replicas, workers)
    check_connections(replicas, workers, needed)
    with pytest.raises(LabError, match=f"need {needed} connections, but the database allows {needed - 1}") as raised:
        check_connections(replicas, workers, needed - 1)
    assert raised.value.exit_code == 2


def test_a_database_that_does_not_answer_is_told_without_its_password() -> None:
    with pytest.raises(LabError, match="does not answer") as raised:
        check_database(f"postgresql://user:secret@{LOOPBACK}:{free_port()}/nothing", 1, 1)
    assert "secret" not in str(raised.value)


def test_a_port_in_use_is_refused_also_when_its_holder_would_share_it() -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((LOOPBACK, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(LabError, match=f"port {port} is in use: choose another with --https-port") as raised:
            listen(port, "--https-port")
    assert raised.value.exit_code == 2


def test_a_port_that_the_lab_holds_cannot_be_shared() -> None:
    with listen(None, "--http-port") as held, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(held.getsockname())


def test_a_port_can_be_had_again_at_once_after_a_connection() -> None:
    with listen(None, "--http-port") as first:
        address = first.getsockname()
        client = socket.create_connection(address)
        server, _ = first.accept()
        server.close()  # the server's side closes first and keeps the connection's end in TIME_WAIT
        client.close()
    listen(address[1], "--http-port").close()


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(LabError, match="takes 1 to 65535"):
        listen(port, "--http-port")


def test_a_privileged_port_without_permission_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(LabError, match="port 443 needs root: choose one from 1024 on with --https-port"):
        listen(443, "--https-port")


def test_the_lab_programs_get_no_settings_of_others() -> None:
    user = {
        "PATH": "/bin", "HOME": "/h", "PGHOST": "x", "GUNICORN_CMD_ARGS": "--workers 9", "https_proxy": "http://x",
        "DATABASE_URL": "postgresql:///x", "RACELAB_ADMIN_PASSWORD": "secret", "RACELAB_DELAY_SCALE": "9",
    }  # fmt: skip
    clean = clean_environment(user)
    assert set(clean) == {"PATH", "HOME", "PGHOST", "PYTHONSAFEPATH", "PYTHONUNBUFFERED"}
    assert "PGHOST" not in without_libpq_settings(clean)


def test_bank_and_auditor_share_the_secret_key_of_one_lab_and_the_generators_do_not_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RACELAB_SECRET_KEY", "the user's")
    environments = Environments(delay_scale=0.1)
    bank = environments.bank("postgresql:///lab", tmp_path)
    auditor, load = environments.auditor(bank), environments.load()
    assert bank["RACELAB_DELAY_SCALE"] == auditor["RACELAB_DELAY_SCALE"] == "0.1"
    assert bank["RACELAB_SECRET_KEY"] == auditor["RACELAB_SECRET_KEY"] == environments.secret_key
    assert not {"RACELAB_SECRET_KEY", "DATABASE_URL"} & set(load)
    assert auditor["RACELAB_TOKEN"] == load["RACELAB_TOKEN"] == environments.token
    assert "RACELAB_TOKEN" not in bank
    other = Environments()
    assert len({environments.secret_key, environments.token, other.secret_key, other.token, "the user's"}) == 5
    assert not any(secret in repr(environments) for secret in (environments.token, environments.secret_key))


def test_an_end_is_told_by_code_or_signal() -> None:
    assert [exit_reason(code) for code in (3, -9)] == ["exit code 3", "signal SIGKILL"]


def test_last_words_are_the_last_lines_that_say_something(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\n\nthree\n\n")
    assert last_lines(tmp_path / "log", 2) == "two\n  three"
    assert last_lines(tmp_path / "missing") == ""


@pytest.mark.parametrize("url", ["mysql://me:secret@host/lab", "secret", "postgresql://h:port:5/x%zz"])
def test_an_address_that_is_no_postgresql_is_wrong_use_and_its_password_is_not_shown(url: str) -> None:
    with pytest.raises(LabError, match="allowed postgresql://USER") as refused:
        check_database(url, 1, 1)
    assert refused.value.exit_code == 2
    assert "secret" not in str(refused.value)
