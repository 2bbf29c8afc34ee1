"""The lab's guard: a small process that outlives a killed lab and clears up after it, then ends.

`python -m racelab_operator.platforms.local.guard HOME DESCRIPTOR`: the descriptor reads a pipe that only the lab holds
open, and the guard shares the lab's lock, so that no other lab starts before it is done. The kernel already signals
the children when the lab dies; the guard takes care of grandchildren, of sockets and of the state file.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from racelab_operator.platforms.local.environments import clean_environment
from racelab_operator.platforms.local.processes import Child, spawn
from racelab_operator.platforms.local.state import sweep

if TYPE_CHECKING:
    from collections.abc import Sequence


class Guard:
    """The lab's side of it."""

    def __init__(self, command: Sequence[str], home: Path, lock: int) -> None:
        self._child: Child | None = None
        reading, self._writing = os.pipe()
        try:
            spawn(
                "guard",
                [*command, str(home), str(reading)],
                log=home / "logs" / "guard.log",
                environment=clean_environment(),
                register=self._register,
                death_signal=None,
                directory=home,
                pass_fds=(reading, lock),
            )
        except BaseException:
            os.close(self._writing)
            raise
        finally:
            os.close(reading)

    def _register(self, child: Child) -> None:
        self._child = child

    def dismiss(self) -> None:
        """Let it go: the caller has cleared up."""
        os.close(self._writing)
        if self._child is not None and self._child.wait(2) is None:
            self._child.kill()
            self._child.wait(1)


def main() -> None:
    """Wait for the end of the lab, however it comes, and sweep."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.read(int(sys.argv[2]), 1)
    sweep(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
