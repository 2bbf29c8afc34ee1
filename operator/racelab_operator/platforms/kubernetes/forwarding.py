"""A port of a Pod on this machine: every connection to it goes through the API server, as `kubectl port-forward` does.

The client library's own port-forward ends in a traceback, and leaves its user waiting, when the API server goes away:
so the bytes are carried here, over the library's WebSocket.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from kubernetes import client
from kubernetes.stream import stream

from racelab_operator.errors import RacelabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_DATA: Final = 0
_ERROR: Final = 1
# Each of the two channels begins with the port's number, in two bytes.
_PREFIX_BYTES: Final = 2
_CHUNK_BYTES: Final = 64 * 1024


class ForwardingError(RacelabError):
    """The Pod could not be reached through the API server."""


class Forwarder:
    """Listens on a free port of 127.0.0.1 until it is closed.

    `target`: names the Pod and its port, asked anew for every connection, since Pods come and go; it may raise a
    RacelabError. `connect`: makes a client of its own for each connection.
    """

    def __init__(
        self, connect: Callable[[], client.ApiClient], namespace: str, target: Callable[[], tuple[str, int]]
    ) -> None:
        self._connect = connect
        self._namespace = namespace
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="racelab-forwarder", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, for HTTP."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Begin, after one try.

        Raises:
            ForwardingError: the Pod cannot be reached: the reason is the API server's.
            RacelabError: there is no Pod, or it may not be looked for.

        """
        try:
            self._open().close()
        except BaseException:
            self._listener.close()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(connection,), name="racelab-forward", daemon=True).start()

    def _carry(self, connection: socket.socket) -> None:
        """Carry one connection to its end; what goes wrong ends it, and whoever speaks over it opens another."""
        with connection, contextlib.suppress(RacelabError):
            remote = self._open()
            with contextlib.closing(remote):
                _exchange(connection, remote)

    def _open(self) -> _Remote:
        pod, port = self._target()
        return _Remote(self._connect(), self._namespace, pod, port)


class _Remote:
    """One connection to a Pod's port. Errors are ForwardingErrors."""

    def __init__(self, api: client.ApiClient, namespace: str, pod: str, port: int) -> None:
        call = client.CoreV1Api(api).connect_get_namespaced_pod_portforward
        try:
            self._channels: Any = stream(call, pod, namespace, ports=str(port), binary=True, _preload_content=False)
        except client.ApiException as error:
            raise ForwardingError(f"the API server does not forward to Pod {pod}: {_words(error)}") from None
        self.socket: socket.socket = self._channels.sock.sock
        self._to_skip = {_DATA: _PREFIX_BYTES, _ERROR: _PREFIX_BYTES}

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._channels.close(timeout=0)

    @property
    def waiting(self) -> bool:
        """Whether something was received that a look at the socket would not show."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def send(self, data: bytes) -> None:
        try:
            self._channels.write_channel(_DATA, data)
        except Exception as error:  # noqa: BLE001  the library's, the socket's, those of TLS: the connection is over
            raise ForwardingError(str(error)) from None

    def receive(self) -> bytes:
        """Take what has come; ForwardingError at the end."""
        try:
            # In this order: each look may bring data as well, which no look at the socket would show afterwards.
            refusal, data = self._taken(_ERROR), self._taken(_DATA)
        except Exception as error:  # noqa: BLE001  as above
            raise ForwardingError(str(error)) from None
        if not data and (refusal or not self._channels.is_open()):
            raise ForwardingError(refusal.decode(errors="replace") or "the connection has ended")
        return data

    def _taken(self, channel: int) -> bytes:
        data: bytes = self._channels.read_channel(channel)
        skipped = min(self._to_skip[channel], len(data))
        self._to_skip[channel] -= skipped
        return data[skipped:]


def _words(error: client.ApiException) -> str:
    """Give the API server's own words: the library puts the whole answer into one line, the body last."""
    told = str(error.reason).rpartition("-+-+- ")[2]
    try:
        return str(json.loads(told)["message"])
    except (ValueError, KeyError, TypeError):
        return " ".join(told.split())


def _exchange(connection: socket.socket, remote: _Remote) -> None:
    """Carry bytes both ways until either side has ended."""
    while True:
        ready = [remote.socket] if remote.waiting else select.select([connection, remote.socket], [], [])[0]
        try:
            if remote.socket in ready:
                connection.sendall(remote.receive())
            if connection in ready:
                data = connection.recv(_CHUNK_BYTES)
                if not data:
                    return
                remote.send(data)
        except OSError:
            return
