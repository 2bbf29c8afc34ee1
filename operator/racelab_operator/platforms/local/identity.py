"""As whom PostgreSQL runs."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.processes import LAUNCHER

if TYPE_CHECKING:
    from pathlib import Path


def server_identity(program: Path, folder: Path) -> str:
    """Return under which identity (launch.py) PostgreSQL runs here, with `program` and its files in that folder.

    It refuses root, and its initdb refuses users without a name. A user namespace leaves the files the
    caller's own, but may be forbidden (in containers it mostly is) and loses root's right to pass through other users'
    private folders; so it is tried with what will be needed.
    """
    user = os.geteuid()
    if user != 0 and _has_name(user):
        return "same"
    launch: list[str | Path] = [
        sys.executable,
        "-I",
        "-S",
        LAUNCHER,
        str(os.getpid()),
        str(int(signal.SIGKILL)),
        "namespace",
    ]
    probe: list[str | Path] = [*launch, "test", "-x", program, "-a", "-d", folder]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return "namespace"
    if user != 0:
        raise LabError(
            f"user {user} has no name on this machine, and PostgreSQL needs one: add the user to /etc/passwd, or use "
            "another PostgreSQL through DATABASE_URL"
        )
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return "65534:65534"
    return f"{nobody.pw_uid}:{nobody.pw_gid}"


def _has_name(user: int) -> bool:
    """Whether the machine knows this uid by a name: initdb insists on it."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def owner_of(identity: str) -> int:
    """Return the uid, as this process sees it, that an identity's files must have."""
    return os.geteuid() if identity in {"same", "namespace"} else int(identity.partition(":")[0])
