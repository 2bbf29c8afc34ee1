"""Load generators as children, each known by its name."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from racelab_operator.platforms.local.processes import Child, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class LoadState:
    """What has become of a load: `reason` holds the exit code or signal, with its last words, when it failed."""

    state: Literal["absent", "running", "succeeded", "failed"]
    reason: str = ""


class Loads:
    """The load generators that were ever started in this lab."""

    def __init__(
        self, program: Sequence[str], environment: Mapping[str, str], logs: Path, register: Callable[[Child], None]
    ) -> None:
        self._program = tuple(program)
        self._environment = environment
        self._logs = logs
        self._register = register
        self._children: dict[str, Child] = {}

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Start a load; nothing happens when one of that name was started before."""
        if name in self._children:
            return

        def register(child: Child) -> None:
            self._children[name] = child
            self._register(child)

        log = self._logs / f"load-{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.log"
        # SIGKILL: without a lab there is nobody left to hand a history to.
        spawn(
            name,
            [*self._program, *arguments],
            log=log,
            environment=self._environment,
            register=register,
            death_signal=signal.SIGKILL,
            directory=self._logs,
        )

    def state(self, name: str) -> LoadState:
        """Say what has become of a load."""
        child = self._children.get(name)
        if child is None:
            return LoadState("absent")
        code = child.poll()
        if code is None:
            return LoadState("running")
        return LoadState("succeeded") if code == 0 else LoadState("failed", child.failure() or "")

    def stop(self, name: str) -> None:
        """Ask a load to stop sending, upload and end."""
        if name in self._children:
            self._children[name].send(signal.SIGTERM)

    def children(self) -> tuple[Child, ...]:
        """Return the load generators' processes."""
        return tuple(self._children.values())
