"""The edge: one Caddy that ends TLS, speaks HTTP/2, reads each request wholly and hands it to the next replica."""

from __future__ import annotations

import json
import signal
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

import httpx

from racelab_operator.platforms.local.environments import clean_environment
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.ports import LOOPBACK, listen
from racelab_operator.platforms.local.processes import Child, spawn
from racelab_operator.platforms.local.programs import caddy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

REQUEST_BUFFER_BYTES: Final = 65_536
ADMIN_SECONDS: Final = 10


def configuration(
    upstreams: Sequence[Path], http_descriptor: int, https_descriptor: int, admin_socket: Path, storage: Path
) -> dict[str, Any]:
    """Return Caddy's configuration for these replicas' sockets, in this order.

    The listeners are inherited descriptors. A request whose connection to a replica could not be opened was not sent,
    so it goes to the next replica at once; one that was sent is never sent again, whatever its method (`retry_match`
    matches nothing). Without replicas the edge answers 503.
    """
    proxy: dict[str, Any] = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"unix/{path}"} for path in upstreams],
        "load_balancing": {
            "selection_policy": {"policy": "round_robin"},
            "retries": max(2, len(upstreams)),
            "try_interval": "5ms",
            "retry_match": [{"method": ["NEVER"]}],
        },
        # The whole body first: a replica must not be held by a request that is still under way (races.md).
        "request_buffers": REQUEST_BUFFER_BYTES,
        # Sync workers end each connection; a kept one could be closed under a request that was just sent.
        "transport": {"protocol": "http", "keep_alive": {"enabled": False}},
    }
    nobody = {"handler": "static_response", "status_code": 503, "body": "no replica is ready\n"}
    routes = [{"handle": [proxy if upstreams else nobody]}]
    names = ["localhost", LOOPBACK]
    https = {
        "listen": [f"fd/{https_descriptor}"],
        "protocols": ["h1", "h2"],
        "tls_connection_policies": [{"default_sni": "localhost"}],
        "automatic_https": {"disable_redirects": True},
        "routes": routes,
    }
    http = {
        "listen": [f"fd/{http_descriptor}"],
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "routes": routes,
    }
    return {
        "admin": {"listen": f"unix/{admin_socket}|0600", "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "ERROR", "writer": {"output": "stderr"}}}},
        "storage": {"module": "file_system", "root": str(storage)},
        "apps": {
            "http": {"servers": {"https": https, "http": http}},
            "tls": {
                "certificates": {"automate": names},
                "automation": {"policies": [{"subjects": names, "issuers": [{"module": "internal"}]}]},
            },
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        },
    }


class Edge:
    """Caddy as a child, with its certificate authority kept in `home`."""

    def __init__(self, home: Path, socket_directory: Path, log: Path) -> None:
        self._folder = home / "edge"
        self._admin_socket = socket_directory / "edge.sock"
        self._log = log
        self._listeners: tuple[socket.socket, ...] = ()
        self._descriptors: tuple[int, int] = (-1, -1)
        self._ports: tuple[int, int] = (0, 0)
        self.child: Child | None = None

    @property
    def http_url(self) -> str:
        """The address for HTTP/1.1 without TLS."""
        return f"http://{LOOPBACK}:{self._ports[0]}"

    @property
    def https_url(self) -> str:
        """The address for HTTP/2 and HTTP/1.1 over TLS."""
        return f"https://{LOOPBACK}:{self._ports[1]}"

    @property
    def ca_file(self) -> Path:
        """The certificate to trust."""
        return self._folder / "pki" / "authorities" / "local" / "root.crt"

    def reserve(self, http_port: int | None, https_port: int | None) -> None:
        """Take the ports; LabError when one cannot be had."""
        http = listen(http_port, "--http-port")
        self._listeners = (http,)
        https = listen(https_port, "--https-port")
        self._listeners = (http, https)
        self._descriptors = (http.fileno(), https.fileno())
        self._ports = (http.getsockname()[1], https.getsockname()[1])

    def release(self) -> None:
        """Close this process's copies of the listeners: when the edge dies, connections must be refused at once."""
        for listener in self._listeners:
            listener.close()
        self._listeners = ()

    def start(self, register: Callable[[Child], None]) -> None:
        """Start Caddy on the reserved ports, without replicas."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        file = self._folder / "caddy.json"
        file.write_text(json.dumps(self._configuration(())), encoding="utf-8")
        folder = str(self._folder)
        self.child = spawn(
            "edge",
            [caddy(), "run", "--config", file],
            log=self._log,
            environment={**clean_environment(), "HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder},
            register=register,
            death_signal=signal.SIGQUIT,  # at once; SIGTERM waits for open connections
            directory=self._folder,
            pass_fds=self._descriptors,
        )
        self.release()

    def _configuration(self, upstreams: Sequence[Path]) -> dict[str, Any]:
        return configuration(upstreams, *self._descriptors, self._admin_socket, self._folder)

    def route(self, upstreams: Sequence[Path]) -> None:
        """Send requests to these sockets from now on; those in flight are answered by whom they were sent to."""
        try:
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(self._admin_socket))) as client:
                url = f"http://{LOOPBACK}/load"
                answer = client.post(url, json=self._configuration(upstreams), timeout=ADMIN_SECONDS)
        except httpx.TransportError as error:
            raise LabError(f"the edge does not answer: {error}") from error
        if answer.status_code != httpx.codes.OK:
            raise LabError(f"the edge refused its configuration: {answer.text}")

    def answers(self) -> bool:
        """Tell whether both ports answer, the second with a certificate that the authority signed."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            with (
                socket.create_connection((LOOPBACK, self._ports[1]), timeout=1) as connection,
                context.wrap_socket(connection, server_hostname=LOOPBACK),
            ):
                pass
            httpx.get(self.http_url, timeout=1, trust_env=False)
        except (OSError, httpx.TransportError):  # SSLError is an OSError
            return False
        return True
