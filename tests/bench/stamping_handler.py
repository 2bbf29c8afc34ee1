"""A handler behind the edge that tells how far apart the requests of a batch arrived.

    python stamping_handler.py BATCH

It prints its port, answers every BATCH requests together, and prints for each such batch the microseconds between its
first and its last arrival. A request has arrived when its last byte has: the kernel stamps that (SO_TIMESTAMPNS), so
that the time this process takes to read one request is not counted as distance to the next.
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{"outcome": "applied"}'
# Linux's number; Python does not name it.
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("qq")


class Requests:
    """One connection: the bytes of the request that is being read."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._bytes = b""

    def read(self) -> int | None:
        """Read what is there; gives the time of the last byte in nanoseconds once a request is whole."""
        data, ancillary, _, _ = self.connection.recvmsg(65_536, 256)
        if not data:
            raise ConnectionError("closed by the edge")
        self._bytes += data
        head, separator, body = self._bytes.partition(b"\r\n\r\n")
        if not separator:
            return None
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
        if len(body) < int(fields.get(b"content-length", b"0")):
            return None
        self._bytes = b""
        (stamp,) = (value for level, kind, value in ancillary if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS))
        seconds, nanoseconds = TIMESPEC.unpack(stamp)
        return int(seconds) * 10**9 + int(nanoseconds)


def main(batch: int) -> None:
    """Serve until the process is ended."""
    selector = selectors.DefaultSelector()
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        # Accepted sockets inherit it, so that no first request goes without a stamp.
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        selector.register(listener, selectors.EVENT_READ)
        print(listener.getsockname()[1], flush=True)
        arrived: list[tuple[int, socket.socket]] = []
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(connection, selectors.EVENT_READ, Requests(connection))
                    continue
                try:
                    stamp = key.data.read()
                except ConnectionError:
                    selector.unregister(key.data.connection)
                    key.data.connection.close()
                    continue
                if stamp is not None:
                    arrived.append((stamp, key.data.connection))
            if len(arrived) >= batch:
                stamps = [stamp for stamp, _ in arrived]
                print((max(stamps) - min(stamps)) // 1000, flush=True)
                for _, connection in arrived:
                    connection.sendall(ANSWER)
                arrived.clear()


if __name__ == "__main__":
    main(int(sys.argv[1]))
