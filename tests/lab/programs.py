"""What the tests of the lab share."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from racelab_operator.platforms.local.processes import Identity, all_processes, is_running
from racelab_operator.platforms.local.programs import Programs
from racelab_operator.platforms.local.state import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HERE = Path(__file__).parent
FAKE = (sys.executable, "-I", "-S", str(HERE / "fakes.py"))
FAKES = replace(Programs(), bank=(*FAKE, "bank"), auditor=(*FAKE, "auditor"), load=(*FAKE, "load"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent)}
PLAIN_USER = 65534
# This Python may lie in root's private folders: the plain user may look there, and has no other right.
AS_PLAIN_USER = (
    "setpriv", f"--reuid={PLAIN_USER}", f"--regid={PLAIN_USER}", "--clear-groups",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search", "--",
)  # fmt: skip


def descendants(root: int) -> set[Identity]:
    """Return every living process below this one."""
    processes = all_processes()
    parents, found = {root}, set[Identity]()
    while parents:
        children = [stat for stat in processes if stat.parent in parents and stat.identity not in found]
        found |= {stat.identity for stat in children if stat.state not in "ZX"}
        parents = {stat.identity.pid for stat in children}
    return found


def wait_for_end(identities: Iterable[Identity], within_seconds: float = 10) -> set[Identity]:
    """Wait until these processes have ended; return those that have not in time."""
    deadline = time.monotonic() + within_seconds
    for identity in identities:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(identity.pid)
            try:
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                if is_running(identity):
                    poll.poll(max(0, deadline - time.monotonic()) * 1000)
            finally:
                os.close(descriptor)
    return {identity for identity in identities if is_running(identity)}


def wait_until(condition: Callable[[], bool], within_seconds: float = 20) -> None:
    """Wait for something that has no event of its own."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def owner(home: Path, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start a process that owns a lab; it says `starting`, then `up`."""
    return subprocess.Popen(
        [*prefix, sys.executable, str(HERE / "owner.py"), str(home), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )


def said(process: subprocess.Popen[str], word: str) -> None:
    """Wait until that process says this word on a line of its own."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == word:
            return
    raise AssertionError(f"it ended without {word!r}: {process.communicate()[1]}")


def kill(home: Path, name: str) -> None:
    """Kill one process of the lab that runs in this home."""
    record = read(home)
    assert record is not None
    identity = dict(record.children)[name]
    os.kill(identity.pid, signal.SIGKILL)
    assert not wait_for_end([identity])
