"""The page as its readers and its pressers have it."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import Client, override_settings

from racelab_bank.page.signing_in import COOKIE
from racelab_bank.page.streams import HUB, LOOKING

TOKEN = "test-token"


@pytest.fixture
def as_auditor() -> Iterator[None]:
    """Serve what the auditor serves, through its middleware."""
    with override_settings(
        MIDDLEWARE=settings.AUDITOR_MIDDLEWARE,
        ROOT_URLCONF="racelab_bank.auditor.urls",
        CSRF_FAILURE_VIEW="racelab_bank.page.problems.forbidden",
        RACELAB_TOKEN=TOKEN,
        RACELAB_REPLICA="page",
    ):
        yield


@pytest.fixture
def reader(as_auditor: None) -> Client:
    """Somebody who looks."""
    return Client(raise_request_exception=False)


@pytest.fixture
def presser(as_auditor: None) -> Client:
    """Somebody who has signed in."""
    client = Client(raise_request_exception=False)
    assert client.post("/sign-in", {"token": TOKEN}).status_code == 302
    assert COOKIE in client.cookies
    return client


@pytest.fixture(autouse=True)
def no_connection_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close what was opened to look, so that the test database can be dropped."""
    yield
    if request.node.get_closest_marker("django_db"):
        LOOKING.close()


@pytest.fixture
def no_stream_is_left() -> Iterator[Callable[[], int]]:
    """Watch that each stream that a test opens is closed."""
    assert HUB.streams() == 0
    yield HUB.streams
    assert HUB.streams() == 0


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return where Debian's Chromium is."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("there is no `chromium` on PATH: apt-get install chromium")
    return found
