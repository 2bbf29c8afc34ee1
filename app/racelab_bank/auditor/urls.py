"""What the auditor serves."""

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from prometheus_client import generate_latest

from racelab_bank.auditor.api import api
from racelab_bank.auditor.collecting import AUDITS
from racelab_bank.serving import schema


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 once the database is migrated."""
    problem = schema.missing(settings.DATABASE_URL)
    return HttpResponse(f"{problem or 'ready'}\n", status=503 if problem else 200, content_type="text/plain")


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer what Prometheus scrapes, open for reading; 503 while the database does not answer."""
    try:
        samples = generate_latest() + generate_latest(AUDITS)
    except DatabaseError as error:
        return HttpResponse(f"the database does not answer: {error}\n", status=503, content_type="text/plain")
    return HttpResponse(samples, content_type="text/plain; version=0.0.4; charset=utf-8")


urlpatterns = [
    path("api/", api.urls),
    path("readyz", readyz),
    path("metrics", metrics),
    path("", include("racelab_bank.page.urls")),
]

handler400 = "racelab_bank.page.problems.bad_request"
handler403 = "racelab_bank.page.problems.forbidden"
handler404 = "racelab_bank.page.problems.not_found"
handler500 = "racelab_bank.page.problems.server_error"
