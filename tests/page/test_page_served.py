"""The page as it is served: many streams that keep nobody waiting, and end with their clients and with the server."""

from __future__ import annotations

import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from lab.programs import wait_until
from page.served import Auditor, opened
from racelab_bank.page.hub import STREAMS
from racelab_bank.page.middleware import POLICY
from racelab_operator.platforms.local.postgresql import PostgreSQL

if TYPE_CHECKING:
    import http.client
    from collections.abc import Iterator

THREADS = 4


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with PostgreSQL(tmp_path_factory.mktemp("page") / "data", max_connections=60) as server:
        yield server.url


@pytest.fixture(scope="module")
def asked(database: str) -> Iterator[Auditor]:
    """An auditor that only answers."""
    one = Auditor(database, THREADS)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def auditor(database: str) -> Iterator[Auditor]:
    one = Auditor(database, THREADS)
    one.start()
    yield one
    one.stop()


def connections(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'racelab %'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def event(stream: http.client.HTTPResponse) -> tuple[str, str]:
    """Read one event; return its name and its data."""
    name, data = "", []
    while (line := stream.readline().decode().rstrip("\n")) or not name:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data.append(line.removeprefix("data: "))
    return name, "\n".join(data)


def until(stream: http.client.HTTPResponse, name: str) -> str:
    """Read until an event of that name comes; return its data."""
    while True:
        found, data = event(stream)
        if found == name:
            return data


def test_all_places_taken_keep_neither_the_gate_nor_the_audit_waiting(auditor: Auditor, database: str) -> None:
    opened(auditor, "one")
    with ExitStack() as stack:
        for number in range(STREAMS):
            connection, stream = auditor.stream(("/events", "/runs/one/events")[number % 2])
            stack.callback(connection.close)
            stack.callback(stream.close)
            assert stream.status == 200
            assert event(stream)[0] == "hello"
        refused, answer = auditor.stream("/events")
        assert (answer.status, answer.getheader("Retry-After")) == (503, "5")
        assert answer.read().decode().startswith(f"{STREAMS} pages are open already")
        refused.close()
        assert auditor.ask("POST", "runs/one/gate/0?process=a").status_code == 200
        assert auditor.ask("GET", "runs/one/audit").json()["entries"] == 0
        # The seats of the API, those of who looks for streams, and the one of who keeps the database migrated.
        assert connections(database) <= THREADS + 2 + 1


def test_a_place_is_free_again_soon_after_its_client_has_gone(auditor: Auditor) -> None:
    opened(auditor, "gone")
    streams = [auditor.stream("/runs/gone/events") for _ in range(STREAMS)]
    for connection, stream in streams:
        assert event(stream)[0] == "hello"
        stream.close()
        connection.close()

    def free() -> bool:
        connection, stream = auditor.stream("/events")
        status = stream.status
        stream.close()
        connection.close()
        return status == 200

    wait_until(free, 20)


def test_open_pages_do_not_hold_up_the_end_of_the_server(auditor: Auditor) -> None:
    streams = [auditor.stream("/events") for _ in range(8)]
    for _, stream in streams:
        assert event(stream)[0] == "hello"
    assert auditor.end(signal.SIGTERM) == 0
    for connection, stream in streams:
        rest = stream.read()  # raises where the stream was cut off instead of being ended
        assert not rest or rest.endswith(b"\n\n")
        stream.close()
        connection.close()


def test_a_stream_tells_that_the_database_is_away_and_that_it_is_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rl-page-")))
        server = PostgreSQL(tmp_path / "data", sockets)
        server.start()
        stack.callback(server.stop)
        auditor = Auditor(server.url)
        stack.callback(auditor.stop)
        auditor.start()
        connection, stream = auditor.stream("/events")
        stack.callback(connection.close)
        stack.callback(stream.close)
        until(stream, "playground")
        server.stop()
        assert until(stream, "problem").startswith("the database does not answer")
        page = httpx.get(auditor.url, trust_env=False, timeout=20)
        assert (page.status_code, page.headers["Retry-After"]) == (503, "3")
        assert "The database does not answer" in page.text
        server.start()
        while until(stream, "problem"):
            pass
        assert httpx.get(auditor.url, trust_env=False, timeout=20).status_code == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("racelab/page.css", "text/css"),
        ("racelab/page.js", "text/javascript"),
        ("racelab/charts.js", "text/javascript"),
        ("django_htmx/htmx-2.min.js", "text/javascript"),
        ("plotly/plotly.min.js", "text/javascript"),
    ],
)
def test_styles_and_scripts_come_from_the_auditor_itself_and_are_kept(asked: Auditor, path: str, kind: str) -> None:
    whole = httpx.get(f"{asked.url}/static/{path}", headers={"Accept-Encoding": "identity"}, trust_env=False)
    assert (whole.status_code, whole.headers["Content-Type"].split(";")[0]) == (200, kind)
    assert whole.headers["Content-Security-Policy"] == POLICY
    assert "max-age=86400" in whole.headers["Cache-Control"]
    packed = httpx.get(f"{asked.url}/static/{path}", headers={"Accept-Encoding": "gzip"}, trust_env=False)
    assert packed.content == whole.content
    if len(whole.content) > 1_000_000:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert int(packed.headers["Content-Length"]) < len(whole.content) / 2
    known = {"If-Modified-Since": whole.headers["Last-Modified"], "Accept-Encoding": "gzip"}
    again = httpx.get(f"{asked.url}/static/{path}", headers=known, trust_env=False)
    assert (again.status_code, again.content) == (304, b"")


def test_nothing_else_of_a_wheel_is_served(asked: Auditor) -> None:
    for path in ("plotly/datasets/iris.csv.gz", "plotly/", "racelab/../../views.py", "django_htmx/htmx-4.min.js"):
        assert httpx.get(f"{asked.url}/static/{path}", trust_env=False).status_code == 404
