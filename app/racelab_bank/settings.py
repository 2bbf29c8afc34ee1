"""Django settings of the bank and the auditor, from the environment.

`DATABASE_URL` (libpq URI), `RACELAB_TOKEN` (the auditor's bearer token), `RACELAB_REPLICA` (this replica's name),
`RACELAB_ROLE` (`bank` or `auditor`: which URLconf is served; set by `racelab-bank serve` and `racelab-bank audit`),
`RACELAB_SECRET_KEY` (signs sessions: the same for all replicas, or a login counts at one of them only),
`RACELAB_DELAY_SCALE` (the older systems' long delays, 3 to 10 seconds, times this; 1 by default).
"""

import math
import os
import secrets
import socket
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from racelab_bank.databases.postgresql import database_aliases


def _scale(name: str) -> float:
    given = os.environ.get(name) or "1"
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise ImproperlyConfigured(f"{name}: given {given!r}, allowed a number from 0")
    return value


DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql:///racelab")
RACELAB_TOKEN = os.environ.get("RACELAB_TOKEN", "")
RACELAB_ROLE = os.environ.get("RACELAB_ROLE", "bank")
# What the auditor writes was pressed on its page.
RACELAB_REPLICA = os.environ.get("RACELAB_REPLICA") or ("page" if RACELAB_ROLE == "auditor" else socket.gethostname())
RACELAB_DELAY_SCALE = _scale("RACELAB_DELAY_SCALE")

# Three aliases of one database that differ only in the isolation level of their transactions.
DATABASES = database_aliases(DATABASE_URL)

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",  # with a site of our own: seeds/admin.py
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_htmx",
    "racelab_bank",
]
# The second passes the admin and the logins through sessions and CSRF, and the bank's own requests past them.
_BANK_MIDDLEWARE = ["racelab_bank.naming.name_replica", "racelab_bank.seeds.sessions.SessionPages"]
AUDITOR_MIDDLEWARE = ["racelab_bank.page.middleware.Pages"]
MIDDLEWARE = AUDITOR_MIDDLEWARE if RACELAB_ROLE == "auditor" else _BANK_MIDDLEWARE
if RACELAB_ROLE == "auditor":
    CSRF_COOKIE_NAME = "racelab_csrf"
    CSRF_COOKIE_HTTPONLY = True
    CSRF_COOKIE_SAMESITE = "Strict"
    CSRF_FAILURE_VIEW = "racelab_bank.page.problems.forbidden"
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410"]  # they look for these in the list itself
ROOT_URLCONF = "racelab_bank.auditor.urls" if RACELAB_ROLE == "auditor" else "racelab_bank.urls"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"racelab_page": "racelab_bank.page.tags"},
        },
    }
]
STATIC_URL = "/static/"  # the admin's own files: serving/static.py
ALLOWED_HOSTS = ["*"]  # the edge and the cluster's Services decide who gets here
# The edge ends TLS and says so. Without this, Django would take a form posted over HTTPS for a forged one.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECRET_KEY = os.environ.get("RACELAB_SECRET_KEY") or secrets.token_urlsafe(32)
# In the database, which all replicas share, so that a logout ends a session everywhere.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
LOGIN_URL = "/auth/login/"
LOGIN_REDIRECT_URL = "/accounts/withdraw/"
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
