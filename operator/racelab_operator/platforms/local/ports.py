"""TCP ports on the loopback interface."""

from __future__ import annotations

import errno
import random
import socket
from pathlib import Path
from typing import Final

from racelab_operator.platforms.local.errors import WRONG_USE, LabError

LOOPBACK: Final = "127.0.0.1"
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ATTEMPTS: Final = 200


def listen(port: int | None, option: str) -> socket.socket:
    """Return a listening socket on this port, or on a free one; `option` names the flag that chose it.

    It listens without SO_REUSEPORT, so that neither another lab nor another edge can silently share the port, and it
    is handed to the edge as it is, so that nobody can take the port in between. SO_REUSEADDR only lets it follow
    connections that were closed a moment ago.
    """
    if port is not None and not 1 <= port <= 65_535:
        raise LabError(f"port {port} does not exist: {option} takes 1 to 65535", WRONG_USE)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port or 0))
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise LabError(
                f"port {port} is in use: choose another with {option}, or leave it out", WRONG_USE
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            message = f"port {port} needs root: choose one from 1024 on with {option}, or leave it out"
            raise LabError(message, WRONG_USE) from error
        raise LabError(f"port {port or 'chosen by the system'} on {LOOPBACK}: {error}") from error
    return listener


def free_port() -> int:
    """Return a port that was free a moment ago, for a program that opens its own.

    It lies below the range from which the kernel takes ports for outgoing connections, so that none of these is in
    the way when the program comes to open it.
    """
    try:
        first_ephemeral = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first_ephemeral = 32_768
    low, high = (10_000, first_ephemeral) if first_ephemeral > 12_000 else (61_000, 65_536)
    for _ in range(_ATTEMPTS):
        port = random.randrange(low, high)  # noqa: S311  nothing secret about a port
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise LabError(f"no free port from {low} to {high - 1} on {LOOPBACK}")
