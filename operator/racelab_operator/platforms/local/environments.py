"""The environments of the lab's programs: the user's own, without what would steer them, with what each is told."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOREIGN = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "DJANGO_SETTINGS_MODULE", "DATABASE_URL")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# What the user told the command line is for it alone, such as the admin's password.
OWN_PREFIX = "RACELAB_"


def clean_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the user's environment without what would steer the lab's programs behind its back.

    The lab's programs talk to each other on this machine, so a proxy must not be asked; settings for gunicorn, Django
    and the bank come from the lab. PYTHONSAFEPATH keeps the working directory out of the module path.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name not in FOREIGN and name.upper() not in PROXIES and not name.startswith(OWN_PREFIX)
    }
    return {**kept, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def without_libpq_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which no PG* variable turns the lab's own database address into another."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}


@dataclass(frozen=True)
class Environments:
    """What the programs of one lab are told; the two secrets are new for every lab.

    `delay_scale`: what the long delays of the older systems' endpoints are multiplied by, 0 or more.
    """

    delay_scale: float = 1
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def bank(self, database_url: str, temporary: Path) -> dict[str, str]:
        """Return the environment of every replica: with one secret key, so that a session holds on all of them.

        What a killed program leaves among temporary files goes with the folder `temporary`.
        """
        return {
            **clean_environment(),
            "TMPDIR": str(temporary),
            "DATABASE_URL": database_url,
            "RACELAB_SECRET_KEY": self.secret_key,
            "RACELAB_DELAY_SCALE": str(self.delay_scale),
        }

    def auditor(self, bank: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the auditor: the bank's, and the token that callers must show."""
        return {**bank, "RACELAB_TOKEN": self.token}

    def load(self) -> dict[str, str]:
        """Return the environment of the load generators, which know the auditor's token and no database."""
        return {**clean_environment(), "RACELAB_TOKEN": self.token}
