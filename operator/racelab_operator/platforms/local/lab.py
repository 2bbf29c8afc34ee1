"""A whole lab on this machine, from one call to start to one call to close."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from racelab_operator.platforms.local import state
from racelab_operator.platforms.local.addresses import Addresses
from racelab_operator.platforms.local.database import AUDITOR_THREADS, ROOM, check_database, connections_needed
from racelab_operator.platforms.local.edge import Edge
from racelab_operator.platforms.local.environments import Environments, without_libpq_settings
from racelab_operator.platforms.local.errors import WRONG_USE, LabError
from racelab_operator.platforms.local.guard import Guard
from racelab_operator.platforms.local.home import check_space, open_home
from racelab_operator.platforms.local.loads import Loads, LoadState
from racelab_operator.platforms.local.ports import LOOPBACK, free_port
from racelab_operator.platforms.local.postgresql import PostgreSQL
from racelab_operator.platforms.local.processes import Child, end, settle_spawning, spawn
from racelab_operator.platforms.local.programs import Programs
from racelab_operator.platforms.local.replicas import Replicas, is_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from racelab_operator.platforms.local.prometheus import Prometheus

__all__ = ["Addresses", "LoadState", "LocalLab"]

START_SECONDS: Final = 60
STEP_SECONDS: Final = 0.1
DEFAULT_MAXIMUM_REPLICAS: Final = 8
EDGE_END_SECONDS: Final = 0.5
PROGRAMS_END_SECONDS: Final = 1.8  # gunicorn looks once a second


class LocalLab:
    """PostgreSQL, the edge, the auditor, the replicas and the loads as children of this process.

    A lab is started once. Whatever interrupts `start`, and however the process ends, nothing is left: `start` cleans
    up when it fails, `close` cannot be interrupted, the kernel signals the children of a killed owner, and the guard
    (guard.py) sweeps after it. `database_url` names a PostgreSQL of the user's instead of the lab's own; `delay_scale`
    multiplies the long delays of the older systems' endpoints; `prometheus` is started too, and scrapes the lab.
    """

    def __init__(
        self,
        home: Path,
        *,
        workers: int = 1,
        http_port: int | None = None,
        https_port: int | None = None,
        database_url: str | None = None,
        delay_scale: float = 1,
        purpose: str = "racelab run",
        programs: Programs | None = None,
        prometheus: Prometheus | None = None,
    ) -> None:
        self.home = home.absolute()
        self._workers = workers
        self._requested_ports = (http_port, https_port)
        self._requested_database_url = database_url
        self._programs = programs or Programs()
        self._prometheus = prometheus
        self._environments = Environments(delay_scale)
        self._record = state.new_record(purpose)
        self._record_lock = threading.Lock()
        self._logs = self.home / "logs"
        self._lock: int | None = None
        self._guard: Guard | None = None
        self._children: list[Child] = []
        self._edge: Edge | None = None
        self._postgresql: PostgreSQL | None = None
        self._auditor: Child | None = None
        self._auditor_port = 0
        self._replicas: Replicas | None = None
        self._loads: Loads | None = None
        self._maximum_replicas = 0
        self._database_url = ""
        self._closing = threading.Event()
        self._supervisor: threading.Thread | None = None

    def start(
        self,
        replicas: int,
        maximum_replicas: int | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Addresses:
        """Bring everything up, or raise LabError and leave nothing.

        `maximum_replicas` bounds `scale` later (at least 8 without it); `progress` is told what happens.
        """
        try:
            return self._start(replicas, maximum_replicas, progress or (lambda _message: None))
        except OSError as error:
            self.close()
            raise LabError(f"the lab cannot be started: {error}") from error
        except BaseException:
            self.close()
            raise

    def _start(self, replicas: int, maximum_replicas: int | None, progress: Callable[[str], None]) -> Addresses:
        if replicas < 1 or self._workers < 1:
            message = f"a lab needs at least 1 replica and 1 worker, not {replicas} and {self._workers}"
            raise LabError(message, WRONG_USE)
        self._maximum_replicas = max(replicas, maximum_replicas or DEFAULT_MAXIMUM_REPLICAS)
        began = time.monotonic()
        lock = self._occupy()
        edge = self._edge = Edge(self.home, self._record.socket_directory, self._logs / "edge.log")
        edge.reserve(*self._requested_ports)
        self._guard = Guard(self._programs.guard, self.home, lock)
        edge.start(self._register)
        progress("starting PostgreSQL" if self._requested_database_url is None else "asking the database")
        environment = self._start_database(replicas)
        progress(f"starting the auditor and {replicas} replica{'s' if replicas > 1 else ''}")
        self._start_auditor(environment)
        if self._prometheus is not None:
            self._prometheus.start(self.home, self._logs / "prometheus.log", self._auditor_port, self._register)
        self._loads = Loads(self._programs.load, self._environments.load(), self._logs, self._register)
        self._replicas = Replicas(
            self._programs.bank,
            self._workers,
            environment=environment,
            socket_directory=self._record.socket_directory,
            logs=self._logs,
            register=self._register,
            route=edge.route,
        )
        self._replicas.scale(replicas)
        self._supervisor = threading.Thread(target=self._supervise, name="racelab-supervisor", daemon=True)
        self._supervisor.start()
        self._wait_until_up()
        self._publish()
        progress(f"up in {time.monotonic() - began:.1f} s")
        return self.addresses

    def _occupy(self) -> int:
        """Take the home, clear up after a killed lab, make the socket directory; return the lock."""
        open_home(self.home)
        self._lock = state.lock(self.home)
        state.sweep(self.home)
        if self._requested_database_url is None:
            check_space(self.home, has_data=(self.home / "postgres" / "PG_VERSION").exists())
        self._logs.mkdir(exist_ok=True)
        state.write(self.home, self._record)
        self._record.socket_directory.mkdir(mode=0o700)
        return self._lock

    def _register(self, child: Child) -> None:
        """Note a new child, for `close` and in the state file, in the thread that started it."""
        self._children = [*(known for known in self._children if known.poll() is None), child]
        with self._record_lock:
            self._record = state.with_child(self._record, child.name, child.identity)
            state.write(self.home, self._record)

    def _publish(self) -> None:
        """Write the addresses into the state file, for `current_lab`."""
        with self._record_lock:
            self._record = replace(self._record, addresses=self.addresses)
            state.write(self.home, self._record)

    def _start_database(self, replicas: int) -> dict[str, str]:
        """Start or check the database; return the environment of the programs that use it."""
        if self._requested_database_url is not None:
            check_database(self._requested_database_url, replicas, self._workers)
            self._database_url = self._requested_database_url
        else:
            self._postgresql = PostgreSQL(
                self.home / "postgres",
                self._record.socket_directory / "postgresql",
                connections_needed(self._maximum_replicas, self._workers) + ROOM,
                self._logs / "postgresql.log",
                register=self._register,
            )
            self._postgresql.start()
            self._database_url = self._postgresql.url
        environment = self._environments.bank(self._database_url, self._record.socket_directory)
        return environment if self._postgresql is None else without_libpq_settings(environment)

    def _start_auditor(self, bank_environment: Mapping[str, str]) -> None:
        self._auditor_port = free_port()

        def register(child: Child) -> None:
            self._auditor = child
            self._register(child)

        flags = ["--bind", f"{LOOPBACK}:{self._auditor_port}", "--threads", str(AUDITOR_THREADS)]
        spawn(
            "auditor",
            [*self._programs.auditor, *flags],
            log=self._logs / "auditor.log",
            environment=self._environments.auditor(bank_environment),
            register=register,
            death_signal=signal.SIGQUIT,
            directory=self._logs,
        )

    def _wait_until_up(self) -> None:
        assert self._edge is not None  # noqa: S101  made before
        deadline = time.monotonic() + START_SECONDS
        while True:
            if failed := self.failed_processes():
                raise LabError("; ".join(f"{name} ended at its start with {reason}" for name, reason in failed.items()))
            ready = self.ready_replicas()
            missing = [name for name in self._replica_set().names() if name not in ready]
            missing += [] if is_ready(self._auditor_port) else ["auditor"]
            missing += [] if self._edge.answers() else ["edge"]
            missing += [] if self._prometheus is None or self._prometheus.is_ready() else ["prometheus"]
            if not missing:
                return
            if time.monotonic() > deadline:
                raise LabError(
                    f"not ready within {START_SECONDS} s: {', '.join(missing)}; their words are in {self._logs}"
                )
            time.sleep(STEP_SECONDS / 2)

    def _supervise(self) -> None:
        while not self._closing.wait(STEP_SECONDS):
            # A full disk or process table: the replica counts as not started, and the next step tries again.
            with contextlib.suppress(LabError, OSError):
                self._replica_set().step()
                if self._prometheus is not None:
                    self._prometheus.follow(self._replica_set().metrics_ports())

    def _replica_set(self) -> Replicas:
        if self._replicas is None:
            raise LabError("the lab was not started")
        return self._replicas

    @property
    def addresses(self) -> Addresses:
        """Where everything is, with the replicas that should run."""
        if self._edge is None:
            raise LabError("the lab was not started: it has no addresses yet")
        return Addresses(
            self._edge.http_url,
            self._edge.https_url,
            f"http://{LOOPBACK}:{self._auditor_port}",
            self._edge.ca_file,
            self._environments.token,
            self._database_url,
            self._replica_set().names(),
            self._prometheus.url if self._prometheus else None,
        )

    def scale(self, replicas: int) -> None:
        """Have this many replicas; the edge follows when they are ready, and lets those that leave finish."""
        if not 0 <= replicas <= self._maximum_replicas and self._postgresql is not None:
            message = f"{replicas} replicas are not possible: this lab was started for at most {self._maximum_replicas}"
            raise LabError(message, WRONG_USE)
        if self._postgresql is None:
            check_database(self._database_url, replicas, self._workers)
        self._replica_set().scale(replicas)
        self._publish()

    def ready_replicas(self) -> tuple[str, ...]:
        """Return the replicas that answer that they are ready and that the edge routes to."""
        return self._replica_set().ready()

    def failed_processes(self) -> dict[str, str]:
        """Return the processes that died and are not started again, each with its end and its last words."""
        watched: dict[str, Child | None] = {
            "postgresql": self._postgresql.child if self._postgresql else None,
            "edge": self._edge.child if self._edge else None,
            "auditor": self._auditor,
            "prometheus": self._prometheus.child if self._prometheus else None,
        }
        found = {name: child.failure() for name, child in watched.items() if child is not None}
        failed = {name: reason for name, reason in found.items() if reason is not None}
        return {**failed, **(self._replicas.failures() if self._replicas else {})}

    def start_load(self, name: str, arguments: Sequence[str]) -> None:
        """Start a load generator with these arguments of `racelab-load run`; once per name."""
        if self._loads is None:
            raise LabError("the lab was not started")
        self._loads.start(name, arguments)

    def load_state(self, name: str) -> LoadState:
        """Say what has become of a load."""
        return self._loads.state(name) if self._loads else LoadState("absent")

    def stop_load(self, name: str) -> None:
        """Ask a load to end (SIGTERM): it uploads what it has."""
        if self._loads:
            self._loads.stop(name)

    def close(self) -> None:
        """End everything; harmless when nothing runs or it is done.

        The work is done in another thread, so that a second interrupt cannot leave it half done; it is raised again
        afterwards.
        """
        worker = threading.Thread(target=self._close, name="racelab-close")
        worker.start()
        interrupt: BaseException | None = None
        while worker.is_alive():
            try:
                worker.join()
            except BaseException as error:  # noqa: BLE001  raised again below
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def _close(self) -> None:
        self._closing.set()
        if self._supervisor is not None:
            self._supervisor.join()
        settle_spawning()
        end(self._loads.children() if self._loads else (), signal.SIGKILL, 1)
        if self._edge is not None:
            self._edge.release()
            end([self._edge.child] if self._edge.child else (), signal.SIGQUIT, EDGE_END_SECONDS)
        programs = [*(self._replicas.children() if self._replicas else ()), self._auditor]
        programs += [self._prometheus.child] if self._prometheus else []
        end(filter(None, programs), signal.SIGTERM, PROGRAMS_END_SECONDS)
        if self._postgresql is not None:
            self._postgresql.stop()
        end(self._children, signal.SIGKILL, 1)  # whom an interrupt kept from being noted elsewhere
        self._leave_home()

    def _leave_home(self) -> None:
        """Remove sockets and state, let the guard go, and free the home."""
        if self._lock is None:
            return
        shutil.rmtree(self._record.socket_directory, ignore_errors=True)
        (self.home / state.STATE_NAME).unlink(missing_ok=True)
        if self._guard is not None:
            self._guard.dismiss()
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Self:
        """Nothing runs before `start`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
