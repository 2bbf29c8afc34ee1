"""Event streams that share one look: per topic one thread looks once a second, and all its streams send its bytes.

A stream that is slow misses what has been replaced meanwhile: there is one newest value per event, and no queue. Knows
neither Django nor a database.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_LOG = logging.getLogger(__name__)

#: How many streams may be open: each of them keeps a thread of the server.
STREAMS: Final = 64

#: How often a topic is looked at.
EVERY_SECONDS: Final = 1.0

#: Where nothing changes, a stream says this often that it is there: a client that has gone is noticed by writing.
HEARTBEAT_SECONDS: Final = 5.0

#: How long a browser waits before it connects again.
_RETRY_MILLISECONDS: Final = 2_000

_NOTHING: Mapping[str, str] = MappingProxyType({})


class TooMany(Exception):
    """All streams are taken."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a topic looks like now: the text of each event, and `first` what only a stream that begins is sent.

    `ended`: it will never look different.
    """

    events: Mapping[str, str]
    first: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    ended: bool = False


def encoded(name: str, text: str) -> bytes:
    """Return one server-sent event."""
    lines = "".join(f"data: {line}\n" for line in (text.splitlines() or [""]))
    return f"event: {name}\n{lines}\n".encode()


class _Topic:
    """What all streams of one topic share."""

    def __init__(self, look: Callable[[], Look], problem: Callable[[Exception], str], every_seconds: float) -> None:
        self.listeners = 0
        self._look = look
        self._problem = problem
        self._every_seconds = every_seconds
        self._changed = threading.Condition()
        self._texts: dict[str, str] = {}
        self._events: dict[str, tuple[int, bytes]] = {}
        self._first = b""
        self._version = 0
        self._ended = False
        self._left = threading.Event()

    def watch(self) -> None:
        """Look until nobody listens or the topic has ended; the thread's whole life."""
        while not self._left.is_set() and not self._ended:
            try:
                self._publish(self._look())
            except Exception as error:  # noqa: BLE001 - whatever failed is told, and the next look may succeed
                self._publish(Look({"problem": self._problem(error)}), keep_first=True)
            if not self._ended:
                self._left.wait(self._every_seconds)

    def leave(self) -> None:
        """End the thread: nobody listens any more."""
        self._left.set()

    def _publish(self, looked: Look, *, keep_first: bool = False) -> None:
        with self._changed:
            events = {"problem": "", **looked.events}
            for name, text in events.items():
                if self._texts.get(name) != text:
                    self._version += 1
                    self._texts[name] = text
                    self._events[name] = (self._version, encoded(name, text))
            if not keep_first:
                self._first = b"".join(encoded(name, text) for name, text in looked.first.items())
            if looked.ended:
                self._version += 1
                self._events["ended"] = (self._version, encoded("ended", ""))
                self._ended = True
            self._changed.notify_all()

    def newer(self, seen: int, timeout_seconds: float) -> tuple[bytes, int, bool]:
        """Wait for what is newer than version `seen`: return its bytes, the version then, and whether it ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > seen, timeout_seconds)
            fresh = sorted(event for event in self._events.values() if event[0] > seen)
            first = self._first if seen == 0 and fresh else b""
            return first + b"".join(text for _, text in fresh), self._version, self._ended


class Stream(Iterator[bytes]):
    """One client's stream. `close` it, also where it was never read; `gone` says whether the client has left."""

    def __init__(self, hub: "Hub", key: str, topic: _Topic, hello: str, gone: Callable[[], bool]) -> None:
        self._hub = hub
        self._key = key
        self._topic = topic
        self._gone = gone
        self._greeting = f"retry: {_RETRY_MILLISECONDS}\n".encode() + encoded("hello", hello)
        self._seen = 0
        self._over = False
        self._closed = False
        self._sent_at = time.monotonic()

    def __next__(self) -> bytes:
        """Return what is new, at the latest after the heartbeat's time."""
        if self._greeting:
            greeting, self._greeting = self._greeting, b""
            return greeting
        while not self._over and self._hub.serving() and not self._gone():
            fresh, self._seen, self._over = self._topic.newer(self._seen, min(1.0, self._hub.heartbeat_seconds))
            if not fresh and time.monotonic() - self._sent_at >= self._hub.heartbeat_seconds:
                fresh = b": still here\n\n"
            if fresh:
                self._sent_at = time.monotonic()
                return fresh
        raise StopIteration

    def close(self) -> None:
        """Give the place back."""
        if not self._closed:
            self._closed = self._over = True
            self._hub.left(self._key, self._topic)


class Hub:
    """All open streams, and a thread per topic that somebody listens to.

    `problem` puts what a look raised into a sentence.
    """

    def __init__(
        self,
        problem: Callable[[Exception], str],
        *,
        limit: int = STREAMS,
        every_seconds: float = EVERY_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self.heartbeat_seconds = heartbeat_seconds
        #: Whether the server goes on; streams end when it does not.
        self.serving: Callable[[], bool] = lambda: True
        self._problem = problem
        self._limit = limit
        self._every_seconds = every_seconds
        self._lock = threading.Lock()
        self._topics: dict[str, _Topic] = {}
        self._streams = 0

    def open(self, key: str, look: Callable[[], Look], hello: str, gone: Callable[[], bool]) -> Stream:
        """Open a stream of the topic `key`, which `look` looks at. Raises `TooMany`."""
        with self._lock:
            if self._streams >= self._limit:
                raise TooMany(f"{self._limit} pages are open already")
            self._streams += 1
            topic = self._topics.get(key)
            if topic is None:
                topic = self._topics[key] = _Topic(look, self._problem, self._every_seconds)
                threading.Thread(target=topic.watch, name=f"page {key[:80]}", daemon=True).start()
            topic.listeners += 1
        return Stream(self, key, topic, hello, gone)

    def left(self, key: str, topic: _Topic) -> None:
        """Note that a stream was closed; with the last one of its topic the looking ends."""
        with self._lock:
            self._streams -= 1
            topic.listeners -= 1
            if not topic.listeners:
                topic.leave()
                if self._topics.get(key) is topic:
                    del self._topics[key]

    def streams(self) -> int:
        """Return how many streams are open."""
        with self._lock:
            return self._streams
