"""A real Caddy, from the wheel, for the length of a `with` block: everything it writes is in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GLOBAL_OPTIONS = """
{
	admin off
	local_certs
	skip_install_trust
	auto_https disable_redirects
	servers {
		protocols h1 h2 h2c
	}
}
"""


def free_port() -> int:
    """Find a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Tell whether somebody listens on a port of the loopback interface."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"what was waited for did not happen within {seconds:g} s")
        time.sleep(0.01)


@contextlib.contextmanager
def running_caddy(folder: Path, port: int, sites: str) -> Iterator[Path]:
    """Run Caddy with these sites, one of which is https://localhost:PORT; gives its certificate authority."""
    (folder / "Caddyfile").write_text(GLOBAL_OPTIONS + sites)
    environment = os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    with (folder / "caddy.log").open("wb") as log:
        caddy = subprocess.Popen(
            [
                Path(sys.executable).with_name("caddy"),
                "run",
                "--config",
                folder / "Caddyfile",
                "--adapter",
                "caddyfile",
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
            key = site_certificate(folder).with_suffix(".key")
            wait_until(lambda: listens(port) and key.exists() and authority.exists())
            yield authority
        finally:
            caddy.terminate()
            caddy.wait(10)


def site_certificate(folder: Path) -> Path:
    """Give the certificate that Caddy made for localhost; its key is beside it."""
    return folder / "caddy" / "certificates" / "local" / "localhost" / "localhost.crt"
