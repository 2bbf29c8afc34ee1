"""Sessions for the pages that need one, and what they cost the others; the settings that go with them."""

from runpy import run_path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from racelab_bank import settings
from racelab_bank.seeds.sessions import SessionPages
from seeds.playing import Playground

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.mark.parametrize("path", ["/", "/bank/deposit/row_lock/", "/demo/atomic_no_delay/", "/hesap", "/administer/"])
def test_a_request_without_a_session_passes_straight_on(path: str) -> None:
    seen: list[HttpRequest] = []

    def answer(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse("here")

    request = HttpRequest()
    request.path_info = path
    response = SessionPages(answer)(request)
    assert seen == [request]
    assert not hasattr(request, "session")
    assert not hasattr(request, "user")
    assert list(response.headers) == ["Content-Type"]


@pytest.mark.parametrize("path", ["/admin/", "/auth/login/", "/accounts/withdraw/"])
def test_the_pages_that_need_a_session_have_one_and_cannot_be_framed(playground: Playground, path: str) -> None:
    response = Client().get(path)
    assert response.wsgi_request.session is not None
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/demo/atomic_no_delay/", "/hesap", "/accounts/withdraw/", "/admin/"])
def test_a_body_is_read_wholly_also_by_who_needs_none_of_it(playground: Playground, path: str) -> None:
    """Else an answer could come before the last byte, which a single packet holds back."""
    answer = Client().put(path, "x" * 1_000, content_type="text/plain")
    assert answer.wsgi_request.environ["wsgi.input"].read() == b""


def test_a_cookie_sent_to_the_bank_is_not_looked_up(playground: Playground) -> None:
    client = Client()
    client.cookies["sessionid"] = "x" * 32
    with CaptureQueriesContext(connection) as captured:
        fields = {"account": playground.account.pk, "amount": 1, "operation": "1"}
        assert client.post("/bank/deposit/f_expression/", fields).status_code == 200
    assert [query["sql"].split()[0] for query in captured] == ["UPDATE", "INSERT"]


@pytest.mark.parametrize("given", ["x", "-1", "nan", "inf"])
def test_a_wrong_scale_of_the_delays_stops_the_start(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACELAB_DELAY_SCALE", given)
    with pytest.raises(ImproperlyConfigured, match=f"RACELAB_DELAY_SCALE: given '{given}', allowed a number from 0"):
        run_path(settings.__file__)


@pytest.mark.parametrize(("given", "scale"), [("", 1), ("0", 0), ("0.25", 0.25)])
def test_delays_are_scaled_as_the_environment_says(given: str, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACELAB_DELAY_SCALE", given)
    assert run_path(settings.__file__)["RACELAB_DELAY_SCALE"] == scale


def test_django_finds_nothing_wrong_with_the_settings() -> None:
    call_command("check", fail_level="WARNING")
