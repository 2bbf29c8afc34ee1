"""What runs in a home: one lock, one state file, and the sweeping of what a killed lab left behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from racelab_operator.platforms.local.addresses import Addresses
from racelab_operator.platforms.local.directories import PREFIX, short_parent
from racelab_operator.platforms.local.errors import WRONG_USE, LabError
from racelab_operator.platforms.local.processes import POLL_SECONDS, Identity, all_processes, is_running, read_stat

if TYPE_CHECKING:
    from collections.abc import Sequence

LOCK_NAME: Final = "lock"
STATE_NAME: Final = "state.json"
SWEEP_SECONDS: Final = 2
OWNER_SECONDS: Final = 15
"""How long a lab that was told to end may take: it needs under 3 s."""


@dataclass(frozen=True)
class LabRecord:
    """One lab: its owner, what for, since when (Unix seconds), its addresses once it is up, and its processes."""

    owner: Identity
    boot: str
    purpose: str
    since_seconds: int
    socket_directory: Path
    addresses: Addresses | None
    children: tuple[tuple[str, Identity], ...]

    @property
    def pid(self) -> int:
        """The process that owns the lab."""
        return self.owner.pid

    @property
    def owner_lives(self) -> bool:
        """Whether that process still runs."""
        return self.boot == boot() and is_running(self.owner)


def boot() -> str:
    """Return the identity of this boot of the machine: pids and start times mean nothing in another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def new_record(purpose: str) -> LabRecord:
    """Return the record of a lab that this process is about to start, with the name of a socket directory to make."""
    stat = read_stat(os.getpid())
    assert stat is not None  # noqa: S101  this process exists
    directory = short_parent() / f"{PREFIX}{secrets.token_hex(4)}"
    return LabRecord(stat.identity, boot(), purpose, int(time.time()), directory, None, ())


def write(home: Path, record: LabRecord) -> None:
    """Replace the state file in one step, readable by this user only: it holds the token."""
    value = {
        "owner": [record.owner.pid, record.owner.start_ticks],
        "boot": record.boot,
        "purpose": record.purpose,
        "since_seconds": record.since_seconds,
        "socket_directory": str(record.socket_directory),
        "addresses": record.addresses.to_json() if record.addresses else None,
        "children": [[name, child.pid, child.start_ticks] for name, child in record.children],
    }
    temporary = home / f"{STATE_NAME}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file)
    temporary.replace(home / STATE_NAME)


def read(home: Path) -> LabRecord | None:
    """Read the state file; None when there is none, or it says nothing that can be understood."""
    try:
        value: dict[str, Any] = json.loads((home / STATE_NAME).read_text(encoding="utf-8"))
        return LabRecord(
            Identity(*value["owner"]),
            value["boot"],
            value["purpose"],
            value["since_seconds"],
            Path(value["socket_directory"]),
            Addresses.from_json(value["addresses"]) if value["addresses"] else None,
            tuple((name, Identity(pid, ticks)) for name, pid, ticks in value["children"]),
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    except PermissionError as error:
        raise LabError(f"{home / STATE_NAME} belongs to another user: choose another home", WRONG_USE) from error


def current_lab(home: Path) -> LabRecord | None:
    """Return the lab that runs now in this home; None when there is none."""
    record = read(home)
    return record if record is not None and record.owner_lives else None


def lock(home: Path) -> int:
    """Take the home for one lab; return the descriptor that holds it.

    A lab that was killed may still be swept by its guard, which holds the lock meanwhile: that is waited for.
    """
    descriptor = os.open(home / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + OWNER_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            record = read(home)
            if record is not None and not record.owner_lives and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                continue
            # Without a record its owner is just beginning or ending.
            if record is None and time.monotonic() < deadline - OWNER_SECONDS + 1:
                time.sleep(POLL_SECONDS)
                continue
            os.close(descriptor)
            raise LabError(_occupied(home, record), WRONG_USE) from None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _occupied(home: Path, record: LabRecord | None) -> str:
    advice = "end it with `racelab down`, or use another home (RACELAB_HOME or --home)"
    if record is None:
        return f"another lab is starting or ending in {home}: {advice}"
    since = datetime.fromtimestamp(record.since_seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"a lab runs in {home}: {record.purpose}, process {record.pid}, since {since}; {advice}"


def sweep(home: Path) -> bool:
    """End what a lab without an owner left in this home, and only that; True when there was something.

    The caller holds the lock.
    """
    record = read(home)
    if record is None:
        return False
    leftovers = _living(record.children) if record.boot == boot() else []
    for identity in leftovers:
        # SIGQUIT: at once, and PostgreSQL and gunicorn take their own children with them.
        _signal(identity, signal.SIGQUIT)
    deadline = time.monotonic() + SWEEP_SECONDS
    while any(map(is_running, leftovers)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if record.boot == boot():
        for member in _members(record.children):
            _signal(member, signal.SIGKILL)
    if record.socket_directory.name.startswith(PREFIX):
        shutil.rmtree(record.socket_directory, ignore_errors=True)
    (home / STATE_NAME).unlink(missing_ok=True)
    return bool(leftovers)


def _living(children: Sequence[tuple[str, Identity]]) -> list[Identity]:
    return [identity for _, identity in children if is_running(identity)]


def _members(children: Sequence[tuple[str, Identity]]) -> list[Identity]:
    """Return the living processes of these children's sessions: each child leads its own.

    While a session has members its number is given to no other process; a number that is used again belongs to a
    leader with another start time.
    """
    leaders = {child.pid: child for _, child in children}
    processes = all_processes()
    reused = {stat.identity.pid for stat in processes if stat.identity != leaders.get(stat.identity.pid, stat.identity)}
    return [
        stat.identity
        for stat in processes
        if (leader := leaders.get(stat.session)) is not None
        and leader.pid not in reused
        and stat.identity.start_ticks >= leader.start_ticks
        and stat.state not in "ZX"
    ]


def _signal(identity: Identity, number: signal.Signals) -> None:
    if is_running(identity):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(identity.pid, number)


def stop_lab(home: Path) -> bool:
    """End the lab of this home, also one whose owner was killed; False when nothing ran."""
    record = read(home)
    if record is None:
        return False
    owned = record.owner_lives
    if owned:
        _signal(record.owner, signal.SIGTERM)
        deadline = time.monotonic() + OWNER_SECONDS
        while is_running(record.owner) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        _signal(record.owner, signal.SIGKILL)
        while is_running(record.owner):
            time.sleep(POLL_SECONDS)
    leftovers = record.boot == boot() and bool(_living(record.children))
    descriptor = lock(home)
    try:
        sweep(home)
    finally:
        os.close(descriptor)
    return owned or leftovers


def with_child(record: LabRecord, name: str, identity: Identity) -> LabRecord:
    """Return the record with one more process, forgetting those that have ended."""
    kept = tuple((other, known) for other, known in record.children if is_running(known))
    return replace(record, children=(*kept, (name, identity)))
