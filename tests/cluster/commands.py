"""The command `racelab run --platform kubernetes` as a user runs it: with pipes, or on a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cluster.lab import Lab

END_SECONDS = 150


def environment(**changes: str) -> dict[str, str]:
    """Give what a user's shell has."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "RACELAB_"))}
    return own | changes


def command(lab: Lab, *arguments: str) -> list[str]:
    """Write the command line."""
    program = [sys.executable, "-m", "racelab_operator", "run"]
    return [*program, "--platform", "kubernetes", "--namespace", lab.namespace, *arguments]


def experiment_file(directory: Path, name: str, spec: Mapping[str, Any], **metadata: Any) -> str:
    """Write an experiment's file and return its name."""
    about = {"apiVersion": "racelab.dev/v1alpha1", "kind": "RaceExperiment"}
    file = directory / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**about, "metadata": {"name": name, **metadata}, "spec": spec}), encoding="utf-8")
    return str(file)


def start(lab: Lab, *arguments: str, **changes: str) -> subprocess.Popen[str]:
    """Start it with pipes; `changes` of the environment."""
    return subprocess.Popen(
        command(lab, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**changes),
    )


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for its end."""
    out, err = process.communicate(timeout=END_SECONDS)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run(lab: Lab, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run it with pipes, to its end."""
    return ended(start(lab, *arguments, **changes))


@dataclass
class Terminal:
    """The command on a terminal of its own; `shown`: all that it has written, without colours and movements."""

    process: subprocess.Popen[bytes]
    file: int
    deadline: float
    raw: bytes = b""
    shown: str = field(default="", init=False)

    def shows(self, words: str) -> None:
        """Wait until it has written this."""
        while words not in self.shown:
            assert self._read(words), f"ended before {words!r}: {self.shown[-2000:]}"

    def type(self, keys: str) -> None:
        """Press keys; \\x03 is Ctrl-C."""
        os.write(self.file, keys.encode())

    def exit_code(self) -> int:
        """Wait for its end."""
        while self._read("the end"):
            pass
        assert "Traceback" not in self.shown, self.shown
        return self.process.wait(END_SECONDS)

    def _read(self, awaited: str) -> bool:
        ready = select.select([self.file], [], [], max(0.0, self.deadline - time.monotonic()))[0]
        assert ready, f"waited for {awaited!r}: {self.shown[-2000:]}"
        try:
            self.raw += os.read(self.file, 65536)
        except OSError:  # how Linux says that the other end has closed
            return False
        self.shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.raw.decode(errors="replace")).replace("\r", "")
        return True


@contextlib.contextmanager
def terminal(lab: Lab, *arguments: str) -> Iterator[Terminal]:
    """Start it on a terminal of 140 columns."""
    near, far = pty.openpty()
    # Keys like Ctrl-C are signals for those whose terminal it is, and who do not ignore them as background jobs do.
    argv = ["env", "--default-signal", "setsid", "--ctty", *command(lab, *arguments)]
    own = environment(TERM="xterm", COLUMNS="140")
    with subprocess.Popen(argv, stdin=far, stdout=far, stderr=far, env=own) as process:
        os.close(far)
        try:
            yield Terminal(process, near, time.monotonic() + END_SECONDS)
        finally:
            os.close(near)  # hangs up
