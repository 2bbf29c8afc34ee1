"""The page's event streams: who listens, and what they are sent."""

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from racelab_bank.auditor.runs import NoSuchRun, find_run
from racelab_bank.page import one_run, problems
from racelab_bank.page.hub import Hub, Look, Stream, TooMany
from racelab_bank.page.runs import Overview, overview
from racelab_bank.page.showing import BOOT
from racelab_bank.serving.seats import Seats

#: Two topics at a time look at the database.
LOOKING: Final = Seats(2)

#: A client that takes nothing for so long is given up.
_SEND_SECONDS: Final = 20

_RETRY_AFTER_SECONDS: Final = 5


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, NoSuchRun) else problems.sentence(error)


HUB: Final = Hub(_told)


def streams() -> int:
    """Return how many pages are open and listening."""
    return HUB.streams()


@require_GET
def overview_events(request: HttpRequest) -> HttpResponseBase:
    """Stream the overview."""
    return _stream(request, "/", _look_at_overview)


@require_GET
def run_events(request: HttpRequest, key: str) -> HttpResponseBase:
    """Stream one run."""
    try:
        find_run(key)
    except NoSuchRun:
        return problems.no_such_run(request, key)
    return _stream(request, key, partial(one_run.look, key))


def parts(seen: Overview) -> dict[str, str]:
    """Return the parts of the overview that change, as HTML, by the names of their events."""
    shown = {"overview": seen}
    return {name: render_to_string(f"racelab/page/{name}.html", shown) for name in ("experiments", "playground")}


def _look_at_overview() -> Look:
    return Look(parts(overview()))


def _stream(request: HttpRequest, key: str, look: Callable[[], Look]) -> HttpResponseBase:
    connection = request.META.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        connection.settimeout(_SEND_SECONDS)
    try:
        stream = HUB.open(key, partial(_seated, look), BOOT, partial(_gone, connection))
    except TooMany as error:
        told = f"{error}: this one looks again every few seconds instead of listening\n"
        return HttpResponse(
            told, status=503, content_type="text/plain; charset=utf-8", headers={"Retry-After": _RETRY_AFTER_SECONDS}
        )
    return _response(stream)


def _response(stream: Stream) -> StreamingHttpResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(stream, content_type="text/event-stream; charset=utf-8", headers=headers)


def _seated(look: Callable[[], Look]) -> Look:
    with LOOKING.taken():
        return look()


def _gone(connection: object) -> bool:
    """Whether the client has closed its end: there is something to read, and it is the end."""
    if not isinstance(connection, socket.socket):
        return False
    with suppress(OSError, ValueError):
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(0)) and not connection.recv(1, socket.MSG_PEEK)
    return True
