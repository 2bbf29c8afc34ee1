"""Serves the auditor: one process, several threads, and one more that keeps the database migrated."""

import os
from typing import Any

from racelab_bank.serving.server import Server, django_application


def serve_auditor(bind: str, threads: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "racelab_bank.settings")

    def post_worker_init(worker: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
        from racelab_bank.auditor.migration import keep_migrated  # noqa: PLC0415 - models need configured settings

        keep_migrated()

    Server(
        django_application,
        {
            "bind": [bind],
            "workers": 1,
            "worker_class": "gthread",
            "threads": threads,
            "timeout": 120,  # a large history takes its time to be stored
            "graceful_timeout": 5,
            "keepalive": 30,
            "post_worker_init": post_worker_init,
        },
    ).run()
