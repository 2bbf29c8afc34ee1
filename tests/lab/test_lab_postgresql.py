from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import psycopg
import pytest

from lab.programs import AS_PLAIN_USER, ENVIRONMENT, PLAIN_USER, descendants, said, wait_for_end
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.postgresql import PostgreSQL
from racelab_operator.platforms.local.processes import last_lines, spawn

if TYPE_CHECKING:
    from pathlib import Path

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")

NAMELESS_USER = 54321
ONE_VALUE = """
    from pathlib import Path
    import sys, psycopg
    from racelab_operator.platforms.local.postgresql import PostgreSQL
    folder = Path(sys.argv[1])
    with PostgreSQL(folder / "data", folder / "sockets") as server, psycopg.connect(server.url) as connection:
        print(connection.execute("SELECT 41 + 1").fetchone()[0], flush=True)
"""


def value(server: PostgreSQL, query: str) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(query).fetchone()
        return row[0] if row else None


def remember(server: PostgreSQL, number: int) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS remembered (number int)")
        connection.execute("INSERT INTO remembered VALUES (%s)", [number])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that the tests of this module start again and again."""
    return tmp_path_factory.mktemp("postgresql") / "data"


def test_it_starts_for_this_user_with_as_many_connections_as_asked(data: Path) -> None:
    with PostgreSQL(data, max_connections=33) as server:
        assert value(server, "SELECT current_database()") == "racelab"
        assert value(server, "SHOW max_connections") == "33"
        assert value(server, "SHOW synchronous_commit") == "on"
        assert value(server, "SHOW listen_addresses") == ""


def test_data_survives_a_restart_and_sockets_do_not(data: Path) -> None:
    with PostgreSQL(data) as server:
        sockets = server.socket_directory
        remember(server, 1)
    assert not sockets.exists()
    with PostgreSQL(data) as server:
        assert value(server, "SELECT count(*) FROM remembered WHERE number = 1") == 1


def test_data_survives_a_killed_server(data: Path) -> None:
    with PostgreSQL(data) as server:
        remember(server, 2)
        assert server.child is not None
        server.child.send(signal.SIGKILL)
        server.child.wait(10)
    with PostgreSQL(data) as server:
        assert value(server, "SELECT count(*) FROM remembered WHERE number = 2") == 1


def test_a_lock_file_that_names_a_living_stranger_does_not_block(data: Path) -> None:
    with PostgreSQL(data):
        lock = (data / "postmaster.pid").read_text().splitlines()
    (data / "postmaster.pid").write_text("\n".join([str(os.getppid()), *lock[1:], ""]))
    with PostgreSQL(data) as server:
        assert value(server, "SELECT 1") == 1


def test_a_second_server_on_the_same_data_is_refused(data: Path) -> None:
    with PostgreSQL(data) as server:
        with pytest.raises(LabError, match="another PostgreSQL") as raised:
            PostgreSQL(data, log_file=data.with_name("second.log")).start()
        assert raised.value.exit_code == 2
        assert value(server, "SELECT 1") == 1


def test_data_of_another_version_is_refused_with_both_versions(data: Path) -> None:
    with PostgreSQL(data):
        pass
    version = (data / "PG_VERSION").read_text()
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(LabError, match=f"made by PostgreSQL 9, this is PostgreSQL {version.strip()}"):
        PostgreSQL(data).start()
    (data / "PG_VERSION").write_text(version)


def test_an_interrupted_initdb_is_begun_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "data.initializing"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with PostgreSQL(tmp_path / "data") as server:
        assert value(server, "SELECT 1") == 1
    assert not unfinished.exists()


def test_no_variable_of_the_user_steers_it(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPORT", "PGDATA", "PGHOST", "PGDATABASE"):
        monkeypatch.setenv(name, "1")
    with PostgreSQL(data) as server:
        assert value(server, "SELECT 1") == 1


def test_a_long_socket_directory_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="too long for a Unix socket"):
        PostgreSQL(data, tmp_path / ("x" * 100)).start()


def test_it_ends_with_a_killed_owner(data: Path) -> None:
    script = textwrap.dedent(ONE_VALUE) + "    sys.stdin.read()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(data.parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        said(process, "42")
        processes = descendants(process.pid)
        assert len(processes) > 3, "the server and its backends"
        process.kill()
        assert not wait_for_end(processes)


@as_root
def test_it_starts_as_nobody_where_user_namespaces_are_forbidden(tmp_path: Path) -> None:
    with PostgreSQL(tmp_path / "data", identity=f"{PLAIN_USER}:{PLAIN_USER}") as server:
        assert value(server, "SELECT 1") == 1
    assert (tmp_path / "data").stat().st_uid == PLAIN_USER
    with PostgreSQL(tmp_path / "data") as server:
        assert value(server, "SELECT 1") == 1, "and goes on with that data where they are allowed"


@as_root
@pytest.mark.parametrize("user", [PLAIN_USER, NAMELESS_USER])
def test_it_starts_for_a_plain_user_with_or_without_a_name(plain_home: Path, user: int) -> None:
    os.chown(plain_home, user, user)
    as_user = [part.replace(str(PLAIN_USER), str(user)) for part in AS_PLAIN_USER]
    done = subprocess.run(
        [*as_user, sys.executable, "-c", textwrap.dedent(ONE_VALUE), str(plain_home)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=ENVIRONMENT,
    )
    assert (done.stdout.strip(), done.stderr) == ("42", "")
    assert (plain_home / "data").stat().st_uid == user


@as_root
def test_a_full_disk_is_told_in_its_own_words_and_leaves_nothing(small_disk: Path) -> None:
    with pytest.raises(LabError, match="No space left on device"):
        PostgreSQL(small_disk / "data", log_file=small_disk.parent / "log").start()
    assert not list(small_disk.glob("data*"))
    assert "No space left" in last_lines(small_disk.parent / "log", 20)


@as_root
def test_a_child_that_dies_of_a_full_disk_without_last_words_is_explained(small_disk: Path) -> None:
    log = small_disk / "log"
    command = ["/bin/sh", "-c", f"head -c 100M /dev/zero > {small_disk}/fill; echo lost >&2; exit 1"]
    child = spawn("greedy", command, log=log, environment={"PATH": os.defpath}, register=lambda _: None)
    child.wait(20)
    assert child.failure() == f"exit code 1: no space left on the disk of {small_disk}"
