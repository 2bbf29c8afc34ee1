"""Django settings of the bank and the auditor, from the environment.

`DATABASE_URL` (libpq URI), `RACELAB_TOKEN` (the auditor's bearer token), `RACELAB_REPLICA` (this replica's name),
`RACELAB_ROLE` (`bank` or `auditor`: which URLconf is served; set by `racelab-bank serve` and `racelab-bank audit`).
"""

import os
import secrets
import socket

from racelab_bank.databases.postgresql import database_aliases

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql:///racelab")
RACELAB_TOKEN = os.environ.get("RACELAB_TOKEN", "")
RACELAB_REPLICA = os.environ.get("RACELAB_REPLICA") or socket.gethostname()
RACELAB_ROLE = os.environ.get("RACELAB_ROLE", "bank")

# Three aliases of one database that differ only in the isolation level of their transactions.
DATABASES = database_aliases(DATABASE_URL)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "racelab_bank",
]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "racelab_bank.auditor.urls" if RACELAB_ROLE == "auditor" else "racelab_bank.urls"
ALLOWED_HOSTS = ["*"]  # the edge and the cluster's Services decide who gets here
SECRET_KEY = os.environ.get("RACELAB_SECRET_KEY") or secrets.token_urlsafe(32)
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False  # a redirected POST would be a second request
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    # Not ready yet, a database that is away: said once by who notices, not once per probe and request.
    "filters": {
        "not 503": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", None) != 503,
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["not 503"]}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # Refused and conflicting operations are the lab's daily bread, not worth a line each.
    "loggers": {"django.request": {"level": "ERROR"}},
}
