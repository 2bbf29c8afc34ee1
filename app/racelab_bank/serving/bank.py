"""Serves one replica of the bank: sync workers, and beside them a process that answers /readyz and /metrics."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from racelab_bank.serving.chunks import accepting_chunks
from racelab_bank.serving.occupancy import SharedOccupancy
from racelab_bank.serving.probe import Probe
from racelab_bank.serving.server import Server, django_application
from racelab_bank.serving.static import with_admin_files

_PREFIX = "racelab-bank-"


def serve_bank(bind: str, metrics_bind: str, workers: int, timeout_seconds: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises `click.ClickException` when `metrics_bind` cannot be bound."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "racelab_bank.settings")
    # The workers' metrics live in files here; prometheus_client reads the variable when it is first imported.
    remove_abandoned()
    directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    probe = Probe(metrics_bind, directory, workers)
    occupancy = SharedOccupancy()
    owner = os.getpid()

    def post_worker_init(worker: Any) -> None:
        from racelab_bank import metrics  # noqa: PLC0415 - reads the environment

        occupancy.take_slot(worker.age)
        metrics.count_windows_with(occupancy)
        connect_every_alias()
        probe.booted(worker.pid)

    def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
        occupancy.clear_slot(worker.age)
        probe.gone(worker.pid)

    try:
        Server(
            _bank_application,
            {
                "bind": [bind],
                "workers": workers,
                "worker_class": "sync",
                "timeout": timeout_seconds,
                "graceful_timeout": timeout_seconds,
                "on_starting": lambda server: probe.start(),  # noqa: ARG005 - the signature is gunicorn's
                "post_worker_init": post_worker_init,
                "child_exit": child_exit,
            },
        ).run()
    finally:
        if os.getpid() == owner:  # workers leave by this way too
            probe.stop()
            shutil.rmtree(directory, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove the metrics of replicas that were killed, and could not do it themselves."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = directory.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not _alive(int(pid)):
            shutil.rmtree(directory, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _bank_application() -> Any:
    application = django_application()
    from django.urls import get_resolver  # noqa: PLC0415 - URLs import models, which need configured settings

    from racelab_bank.scenarios import scenarios  # noqa: PLC0415
    from racelab_bank.strategies import strategies  # noqa: PLC0415

    # Found once here, before the workers are forked: no request pays for it.
    scenarios()
    strategies()
    _ = get_resolver().url_patterns
    return accepting_chunks(with_admin_files(application))


def connect_every_alias() -> None:
    """Open this worker's connections now, so that no request pays for them. A database that is not there may come."""
    from django.db import OperationalError, connections  # noqa: PLC0415 - settings read the environment

    for connection in connections.all():
        try:
            connection.ensure_connection()
        except OperationalError:
            connection.close()
