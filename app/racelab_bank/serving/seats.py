"""Database connections for more threads than may hold one: whoever works takes a seat, and a seat has connections.

Django gives each thread connections of its own, and keeps them. The auditor has many threads that only hold a stream
open, and any of them may serve the next request: without seats each would come to hold a connection for ever.
"""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections


class Seats:
    """So many threads at a time work on the database; the others wait for their turn."""

    def __init__(self, number: int) -> None:
        # The last one that was given back is taken first: what was opened for a rush is not kept warm by everyone.
        self._number = number
        self._free: queue.LifoQueue[dict[str, Any]] = queue.LifoQueue()
        for _ in range(number):
            self._free.put({})

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Sit down with the seat's connections, and leave them there: this thread holds none afterwards."""
        seat = self._free.get()
        try:
            for alias, connection in seat.items():
                connections[alias] = connection
            yield
        finally:
            try:
                self._leave(seat)
            finally:
                self._free.put(seat)

    @staticmethod
    def _leave(seat: dict[str, Any]) -> None:
        for connection in connections.all(initialized_only=True):
            del connections[connection.alias]
            if connection.alias not in seat:
                connection.inc_thread_sharing()
                seat[connection.alias] = connection
            connection.close_if_unusable_or_obsolete()

    def close(self) -> None:
        """Close all connections, each once its seat is free; they are opened again when they are needed."""
        seats = [self._free.get() for _ in range(self._number)]
        try:
            for seat in seats:
                for connection in seat.values():
                    connection.close()
        finally:
            for seat in seats:
                self._free.put(seat)


def seated(application: Callable[..., Any], seats: Seats) -> Callable[..., Any]:
    """Answer requests on seats. A body that is streamed is read afterwards, and must not need the database."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        with seats.taken():
            return application(environ, start_response)

    return answer
