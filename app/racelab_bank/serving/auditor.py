"""Serves the auditor: one process, several threads, and one more that keeps the database migrated."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from racelab_bank.serving.server import Server, django_application


def serve_auditor(bind: str, threads: int) -> None:
    """Serve until SIGTERM or SIGINT. `threads` of it work on the database at a time."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "racelab_bank.settings")
    from racelab_bank.page.hub import STREAMS  # noqa: PLC0415 - after the environment is set

    def post_worker_init(worker: Any) -> None:
        from racelab_bank.auditor.migration import keep_migrated  # noqa: PLC0415 - models need configured settings
        from racelab_bank.page.streams import HUB  # noqa: PLC0415

        keep_migrated()
        HUB.serving = _serving(worker)

    Server(
        partial(_auditor_application, threads),
        {
            "bind": [bind],
            "workers": 1,
            "worker_class": "gthread",
            # An open page keeps a thread and no connection; as many again as work may wait for their turn, so that
            # what needs no database is answered meanwhile.
            "threads": STREAMS + 2 * threads,
            "timeout": 120,  # a large history takes its time to be stored
            "graceful_timeout": 5,
            "keepalive": 30,
            "post_worker_init": post_worker_init,
        },
    ).run()


def _auditor_application(threads: int) -> Any:
    application = django_application()
    from racelab_bank.serving.seats import Seats, seated  # noqa: PLC0415 - needs configured settings
    from racelab_bank.serving.static import with_page_files  # noqa: PLC0415

    return with_page_files(seated(application, Seats(threads)))


def _serving(worker: Any) -> Callable[[], bool]:
    """Return whether the worker goes on: neither told to end, nor left behind by its arbiter."""
    return lambda: bool(worker.alive) and worker.ppid == os.getppid()
