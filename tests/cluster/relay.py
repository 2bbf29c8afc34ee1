"""A way to the API server that can be cut: a relay of TCP connections, and a kubeconfig that goes through it."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.parse
from typing import TYPE_CHECKING, Self

import yaml

from cluster.cluster import kubectl

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Relay:
    """Carries connections from a port of 127.0.0.1 to the API server of the current context, until it is cut."""

    def __init__(self) -> None:
        self._config = yaml.safe_load(kubectl("config", "view", "--minify", "--raw", "--flatten"))
        [self._cluster] = (one["cluster"] for one in self._config["clusters"])
        self._url = urllib.parse.urlsplit(self._cluster["server"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = self._serving()

    def kubeconfig(self, file: Path) -> Path:
        """Write a kubeconfig that goes through the relay; the server is known by its own name all the same."""
        self._cluster |= {"server": f"https://127.0.0.1:{self._port}", "tls-server-name": self._url.hostname}
        file.write_text(yaml.safe_dump(self._config), encoding="utf-8")
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def restore(self) -> None:
        """Listen again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._thread = self._serving()

    def _serving(self) -> threading.Thread:
        thread = threading.Thread(target=self._serve, args=(self._listener,), daemon=True)
        thread.start()
        return thread

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection((self._url.hostname or "", self._url.port or 443))
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_carry, args=(source, sink), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with source, contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)
