"""Streams share one look: nobody waits for a slow one, nothing is left of one that has gone."""

import queue
import threading
from collections.abc import Callable

import pytest

from lab.programs import wait_until
from racelab_bank.page.hub import Hub, Look, Stream, TooMany, encoded


class Looks:
    """A topic that looks like what the test says next, and not before."""

    def __init__(self) -> None:
        self.given: queue.Queue[Look | Exception] = queue.Queue()
        self.looked = 0

    def __call__(self) -> Look:
        given = self.given.get(timeout=20)
        self.looked += 1
        if isinstance(given, Exception):
            raise given
        return given

    def say(self, *looks: Look | Exception) -> None:
        """Let the topic look so, one after the other."""
        for one in looks:
            self.given.put(one)


def told(error: Exception) -> str:
    return f"told: {error}"


def hub(limit: int = 3, heartbeat_seconds: float = 20.0) -> Hub:
    return Hub(told, limit=limit, every_seconds=0.0, heartbeat_seconds=heartbeat_seconds)


def opened(of: Hub, looks: Callable[[], Look], key: str = "topic", gone: Callable[[], bool] = lambda: False) -> Stream:
    """Open a stream and take its greeting."""
    stream = of.open(key, looks, "boot", gone)
    assert next(stream) == b"retry: 2000\n" + encoded("hello", "boot")
    return stream


def watching(key: str = "topic") -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"page {key}"]


def fields(sent: bytes) -> dict[str, str]:
    """Read what was sent as a browser does: the data of each event by its name, the last one where it came twice."""
    found = {}
    for event in sent.decode().split("\n\n"):
        lines = [line.split(": ", 1) for line in event.splitlines() if not line.startswith(":")]
        if lines:
            found[lines[0][1]] = "\n".join(value for name, value in lines if name == "data")
    return found


def heard(stream: Stream, name: str, text: str) -> bytes:
    """Read until an event says so; return what was sent then."""
    while True:
        sent = next(stream)
        if fields(sent).get(name) == text:
            return sent


def test_all_streams_of_a_topic_are_sent_the_same_by_one_thread_that_looks_once() -> None:
    looks, one = Looks(), hub()
    first, second = opened(one, looks), opened(one, looks)
    assert len(watching()) == 1
    looks.say(Look({"figures": "1"}))
    assert heard(first, "figures", "1") == heard(second, "figures", "1")
    assert looks.looked == 1
    first.close()
    second.close()
    looks.say(Look({}))
    wait_until(lambda: not watching(), 20)


def test_only_what_has_changed_is_sent_again() -> None:
    looks, one = Looks(), hub()
    stream = opened(one, looks)
    looks.say(Look({"figures": "1", "served": "a"}))
    assert fields(heard(stream, "figures", "1")) == {"problem": "", "figures": "1", "served": "a"}
    looks.say(Look({"figures": "2", "served": "a"}))
    assert fields(next(stream)) == {"figures": "2"}
    stream.close()
    looks.say(Look({}))


def test_who_comes_later_is_sent_all_that_there_is_and_what_is_for_beginners() -> None:
    looks, one = Looks(), hub()
    first = opened(one, looks)
    looks.say(Look({"sample": "2"}, first={"series": "1,2"}))
    heard(first, "sample", "2")
    second = opened(one, looks)
    assert fields(next(second)) == {"problem": "", "series": "1,2", "sample": "2"}
    looks.say(Look({"sample": "3"}, first={"series": "1,2,3"}))
    assert fields(next(first)) == fields(next(second)) == {"sample": "3"}
    for stream in (first, second):
        stream.close()
    looks.say(Look({}))


def test_a_slow_reader_holds_up_nobody_and_misses_what_was_replaced() -> None:
    looks, one = Looks(), hub()
    slow, quick = opened(one, looks), opened(one, looks)
    for number in range(50):
        looks.say(Look({"figures": str(number)}))
        heard(quick, "figures", str(number))
    assert fields(next(slow)) == {"problem": "", "figures": "49"}
    for stream in (slow, quick):
        stream.close()
    looks.say(Look({}))


def test_no_more_streams_are_opened_than_there_are_places_and_each_place_comes_back() -> None:
    looks, one = Looks(), hub(limit=2)
    kept = [opened(one, looks), one.open("another", looks, "boot", lambda: False)]
    assert one.streams() == 2
    with pytest.raises(TooMany, match="2 pages are open already"):
        one.open("topic", looks, "boot", lambda: False)
    for stream in kept:
        stream.close()
        stream.close()
    assert one.streams() == 0
    opened(one, looks).close()
    assert one.streams() == 0
    looks.say(*[Look({})] * 3)
    wait_until(lambda: not watching() and not watching("another"), 20)


def test_a_stream_ends_once_its_client_has_gone_though_nothing_changes() -> None:
    left = threading.Event()
    looks, one = Looks(), hub(heartbeat_seconds=0.01)
    stream = opened(one, looks, gone=left.is_set)
    assert next(stream) == b": still here\n\n"
    left.set()
    assert list(stream) == []
    stream.close()
    looks.say(Look({}))


def test_streams_end_when_the_server_does() -> None:
    looks, one = Looks(), hub(heartbeat_seconds=0.01)
    stream = opened(one, looks)
    one.serving = lambda: False
    assert list(stream) == []
    stream.close()
    looks.say(Look({}))


def test_what_has_ended_says_so_last_and_to_who_comes_afterwards_too() -> None:
    looks, one = Looks(), hub()
    stream = opened(one, looks)
    looks.say(Look({"figures": "1"}, ended=True))
    assert fields(b"".join(stream)) == {"problem": "", "figures": "1", "ended": ""}
    wait_until(lambda: not watching(), 20)
    late = opened(one, looks)
    assert fields(b"".join(late)) == {"problem": "", "figures": "1", "ended": ""}
    assert looks.looked == 1
    for one_of in (stream, late):
        one_of.close()


def test_a_look_that_fails_is_told_and_the_next_one_takes_that_back() -> None:
    looks, one = Looks(), hub()
    stream = opened(one, looks)
    looks.say(Look({"figures": "1"}))
    heard(stream, "figures", "1")
    looks.say(OSError("away"))
    assert fields(next(stream)) == {"problem": "told: away"}
    looks.say(Look({"figures": "1"}))
    assert fields(next(stream)) == {"problem": ""}
    stream.close()
    looks.say(Look({}))


def test_a_topic_that_is_opened_again_while_the_old_thread_still_looks_gets_its_own() -> None:
    slow, fresh, one = Looks(), Looks(), hub()
    opened(one, slow).close()
    stream = opened(one, fresh)
    fresh.say(Look({"figures": "new"}))
    heard(stream, "figures", "new")
    slow.say(Look({"figures": "old"}))
    fresh.say(Look({"figures": "newer"}))
    heard(stream, "figures", "newer")
    stream.close()
    fresh.say(Look({}))
    wait_until(lambda: not watching(), 20)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("", b"event: a\ndata: \n\n"),
        ("one", b"event: a\ndata: one\n\n"),
        ("one\ntwo\r\nthree", b"event: a\ndata: one\ndata: two\ndata: three\n\n"),
        ("a\n\nevent: ended", b"event: a\ndata: a\ndata: \ndata: event: ended\n\n"),
    ],
)
def test_no_text_breaks_out_of_its_event(text: str, sent: bytes) -> None:
    assert encoded("a", text) == sent
