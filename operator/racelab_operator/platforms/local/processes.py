"""Child processes that end with the lab, and the identity by which a process is known.

Every child is started by one long-lived thread: the kernel sends the parent-death signal when the *thread* that
forked ends, and an interrupt (which Python raises in the main thread only) can then never lose a child between its
start and its registration.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from racelab_operator.platforms.local.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

LAUNCHER: Final = Path(__file__).with_name("launch.py")
POLL_SECONDS: Final = 0.01
_SPAWNER: Final = ThreadPoolExecutor(1, thread_name_prefix="racelab-spawner")


@dataclass(frozen=True)
class Identity:
    """A process for good: pids are reused, a pid with its start time (clock ticks since boot) is not."""

    pid: int
    start_ticks: int


@dataclass(frozen=True)
class Stat:
    """What `/proc/PID/stat` says about a process."""

    identity: Identity
    state: str
    parent: int
    group: int
    session: int


def read_stat(pid: int) -> Stat | None:
    """Read the facts of a process; None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold anything; the fields after the last parenthesis start with the third.
    fields = text.rpartition(")")[2].split()
    return Stat(Identity(pid, int(fields[19])), fields[0], int(fields[1]), int(fields[2]), int(fields[3]))


def is_running(identity: Identity) -> bool:
    """Tell whether that very process lives; a zombie does not."""
    stat = read_stat(identity.pid)
    return stat is not None and stat.identity == identity and stat.state not in "ZX"


def all_processes() -> list[Stat]:
    """List every process that is visible to this user."""
    found = (read_stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [stat for stat in found if stat is not None]


def last_lines(log: Path, count: int = 5) -> str:
    """Return the last non-empty lines of a log file, joined for one message; empty when there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n  ".join(lines[-count:])


def exit_reason(code: int) -> str:
    """Say how a process ended: `exit code 3`, or `signal SIGKILL` for a negative code as `subprocess` gives it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


class Child:
    """One child process, leader of its own session, whose group ends with it."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        stat = read_stat(process.pid)
        assert stat is not None, "a child that was not waited for is at least a zombie"  # noqa: S101  an invariant
        self.identity = stat.identity
        self._process = process
        self._lock = threading.Lock()
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal), or None while it runs.

        What is left of its group is killed before it is reaped: while it is a zombie the group's number can belong to
        nobody else.
        """
        with self._lock:
            if self._code is None and self._has_ended():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.identity.pid, signal.SIGKILL)
                self._code = self._process.wait()
            return self._code

    def _has_ended(self) -> bool:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.identity.pid, flags) is not None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process; nothing happens when it has ended."""
        with self._lock:
            if self._code is None:
                os.kill(self.identity.pid, number)

    def kill(self) -> None:
        """Kill the process and its group."""
        with self._lock:
            if self._code is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.identity.pid, signal.SIGKILL)

    def wait(self, timeout_seconds: float) -> int | None:
        """Wait for the end; None when the time is over first."""
        deadline = time.monotonic() + timeout_seconds
        while (code := self.poll()) is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return code

    def failure(self) -> str | None:
        """Say how it ended, with its last words; None while it runs."""
        code = self.poll()
        if code is None:
            return None
        words = last_lines(self.log) or _full_disk(self.log)
        return f"{exit_reason(code)}{': ' if words else ''}{words}"


def _full_disk(log: Path) -> str:
    """Say so where the disk of the log is full: whoever died of it could not write its last words."""
    full = shutil.disk_usage(log.parent).free < os.sysconf("SC_PAGE_SIZE")
    return f"no space left on the disk of {log.parent}" if full else ""


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    register: Callable[[Child], None],
    identity: str = "same",
    death_signal: signal.Signals | None = signal.SIGTERM,
    directory: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Start a child, tell `register` of it and return it; its output replaces the log file.

    `identity` is explained in launch.py; `death_signal` is what the kernel sends it when the lab dies;
    None lets it live on.
    """

    def start() -> Child:
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal or 0)), identity]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*launch, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=directory,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        child = Child(name, process, log)
        register(child)
        return child

    try:
        return _SPAWNER.submit(start).result()
    except OSError as error:
        raise LabError(f"{name} cannot be started: {error}") from error


def settle_spawning() -> None:
    """Return when every `spawn` that was begun, also one whose caller was interrupted, is registered."""
    # The interpreter ends: then the thread has finished what it was asked.
    with contextlib.suppress(RuntimeError):
        _SPAWNER.submit(lambda: None).result()


def end(children: Iterable[Child], number: signal.Signals, timeout_seconds: float) -> None:
    """End children side by side: the signal, a bounded wait, then SIGKILL to their groups."""
    remaining = list(children)
    for child in remaining:
        child.send(number)
    deadline = time.monotonic() + timeout_seconds
    for child in remaining:
        if child.wait(max(0.0, deadline - time.monotonic())) is None:
            child.kill()
            child.wait(5)
