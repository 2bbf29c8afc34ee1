"""The bank's replicas: as many as asked, started again when they crash, known to the edge once they are ready."""

from __future__ import annotations

import contextlib
import http.client
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.ports import LOOPBACK, free_port
from racelab_operator.platforms.local.processes import Child, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

ATTEMPTS: Final = 5
ATTEMPTS_WITHIN_SECONDS: Final = 60
FIRST_PAUSE_SECONDS: Final = 0.05
LEAVE_SECONDS: Final = 40
"""A request may take 30 s; a replica that leaves answers those it has."""
PROBE_SECONDS: Final = 1


def is_ready(port: int, path: str = "/readyz") -> bool:
    """Ask a program on this machine whether it is ready."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@dataclass(eq=False)
class Replica:
    """One place for a replica, which keeps its name and socket when its process is started again."""

    name: str
    socket: Path
    child: Child | None = None
    metrics_port: int = 0
    came_up: bool = False
    starts: list[float] = field(default_factory=list)
    last_failure: str = ""
    given_up: bool = False
    leave_by: float | None = None

    def pause_is_over(self, now: float) -> bool:
        """Tell whether it may be started again: at once after the first crash, later after growing pauses."""
        self.starts = [start for start in self.starts if start > now - ATTEMPTS_WITHIN_SECONDS]
        pause = FIRST_PAUSE_SECONDS * 2 ** len(self.starts) if len(self.starts) > 1 else 0
        return not self.starts or now >= self.starts[-1] + pause


class Replicas:
    """Keeps the running replicas and the edge's routes as they should be; `step` does what is due, without waiting."""

    def __init__(
        self,
        command: Sequence[str],
        workers: int,
        *,
        environment: Mapping[str, str],
        socket_directory: Path,
        logs: Path,
        register: Callable[[Child], None],
        route: Callable[[Sequence[Path]], None],
    ) -> None:
        self._command = tuple(command)
        self._workers = workers
        self._environment = environment
        self._socket_directory = socket_directory
        self._logs = logs
        self._register = register
        self._route = route
        self._lock = threading.RLock()
        self._members: list[Replica] = []
        self._leaving: list[Replica] = []
        self._routed: list[Path] = []
        self._generation = 0

    def names(self) -> tuple[str, ...]:
        """Return the names of the replicas that should run."""
        with self._lock:
            return tuple(replica.name for replica in self._members)

    def metrics_ports(self) -> dict[str, int]:
        """Return where the metrics of each replica that was started are, by its name."""
        with self._lock:
            return {replica.name: replica.metrics_port for replica in self._members if replica.child is not None}

    def children(self) -> list[Child]:
        """Return the processes of all replicas, also of those that are leaving."""
        with self._lock:
            return [replica.child for replica in [*self._members, *self._leaving] if replica.child is not None]

    def scale(self, count: int) -> None:
        """Have this many replicas; `bank-0` stays longest."""
        with self._lock:
            self._leaving += self._members[count:]
            del self._members[count:]
            for number in range(len(self._members), count):
                self._generation += 1
                # A new socket each time: one of the same name may be leaving, and takes its socket with it.
                socket = self._socket_directory / f"bank-{number}.{self._generation}.sock"
                self._members.append(Replica(f"bank-{number}", socket))
        self.step()

    def step(self) -> None:
        """Start what is missing, notice who became ready, tell the edge, and end who is leaving."""
        with self._lock:
            for replica in self._members:
                self._keep_running(replica)
            expected = [replica for replica in self._members if replica.child is not None and not replica.came_up]
        newly_ready = [replica for replica in expected if is_ready(replica.metrics_port)]
        with self._lock:
            for replica in newly_ready:
                replica.came_up = True
            self._tell_edge()
            self._leaving = [replica for replica in self._leaving if not self._has_left(replica)]

    def _keep_running(self, replica: Replica) -> None:
        if replica.child is not None:
            if (failure := replica.child.failure()) is None:
                return
            replica.last_failure = failure
        now = time.monotonic()
        if replica.given_up or not replica.pause_is_over(now):
            return
        if len(replica.starts) > ATTEMPTS:
            replica.given_up = True
            return
        replica.starts.append(now)
        replica.metrics_port = free_port()

        def register(child: Child) -> None:
            replica.child = child
            self._register(child)

        flags = ["--bind", f"unix:{replica.socket}", "--metrics-bind", f"{LOOPBACK}:{replica.metrics_port}"]
        spawn(
            replica.name,
            [*self._command, *flags, "--workers", str(self._workers), "--replica", replica.name],
            log=self._logs / f"{replica.name}.log",
            environment=self._environment,
            register=register,
            death_signal=signal.SIGQUIT,
            directory=self._logs,
        )

    def _tell_edge(self) -> None:
        """Route to those that were ever ready: one that is started again keeps its socket and its place.

        Meanwhile the edge cannot connect to it and passes its requests on to the others.
        """
        wanted = [replica.socket for replica in self._members if replica.came_up]
        if wanted != self._routed:
            # An edge that does not answer is told again at the next step; if it died, that is reported elsewhere.
            with contextlib.suppress(LabError):
                self._route(wanted)
                self._routed = wanted

    def _has_left(self, replica: Replica) -> bool:
        if replica.child is None or replica.child.poll() is not None:
            return True
        now = time.monotonic()
        if replica.leave_by is None and replica.socket not in self._routed:
            replica.leave_by = now + LEAVE_SECONDS
            replica.child.send(signal.SIGTERM)
        elif replica.leave_by is not None and now > replica.leave_by:
            replica.child.kill()
        return False

    def ready(self) -> tuple[str, ...]:
        """Return who is ready and routed to, asked just now."""
        with self._lock:
            candidates = [
                (replica.name, replica.metrics_port)
                for replica in [*self._members, *self._leaving]
                if replica.socket in self._routed and replica.child is not None and replica.child.poll() is None
            ]
        return tuple(name for name, port in candidates if is_ready(port))

    def failures(self) -> dict[str, str]:
        """Return those that are not started again, with the reason."""
        with self._lock:
            return {
                replica.name: f"started {ATTEMPTS + 1} times within {ATTEMPTS_WITHIN_SECONDS} s, at last: "
                f"{replica.last_failure}"
                for replica in self._members
                if replica.given_up
            }
