"""What stands around every answer of the auditor: a strict content security policy, CSRF, and errors as pages.

The API, the metrics and the probe show no page: they pass none of this but the headers.
"""

from collections.abc import Callable
from typing import Any, Final

import psycopg
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django_htmx.middleware import HtmxMiddleware

from racelab_bank.page import problems

#: Nothing from elsewhere, nothing inline, nothing evaluated: docs/page.md tells how Plotly and htmx live with it.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_NO_PAGES: Final = ("/api/", "/metrics", "/readyz")

Handler = Callable[[HttpRequest], HttpResponseBase]


class Pages:
    """Middleware for the auditor, outermost."""

    def __init__(self, get_response: Handler) -> None:
        self._straight_on = get_response
        self._csrf = CsrfViewMiddleware(HtmxMiddleware(get_response))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        handler: Any = self._straight_on if request.path_info.startswith(_NO_PAGES) else self._csrf
        response: HttpResponseBase = handler(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Refuse forged requests: Django checks the token only now, when it knows the view."""
        if request.path_info.startswith(_NO_PAGES):
            return None
        return self._csrf.process_view(request, view, args, kwargs)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Say that the database is away, as a page."""
        away = isinstance(exception, DatabaseError | InterfaceError | psycopg.Error)
        if not away or request.path_info.startswith(_NO_PAGES):
            return None
        return problems.database_away(request, exception)
