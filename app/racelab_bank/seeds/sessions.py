"""Sessions, logins and CSRF for the pages that need them, and for no others.

The bank's own endpoints are measured, and raced: they pass none of this.
"""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware

PAGES: Final = ("/admin/", "/auth/", "/accounts/")

Handler = Callable[[HttpRequest], HttpResponseBase]


class SessionPages:
    """Passes requests for `PAGES` through Django's usual middleware, and all others straight on."""

    def __init__(self, get_response: Handler) -> None:
        self._straight_on = get_response
        # From the innermost to the outermost; each sees what those further out have added.
        self._csrf = CsrfViewMiddleware(AuthenticationMiddleware(MessageMiddleware(get_response)))
        # Their stubs allow for asynchronous handlers, which there are none of here.
        self._with_session: Any = SecurityMiddleware(XFrameOptionsMiddleware(SessionMiddleware(self._csrf)))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        if not request.path_info.startswith(PAGES):
            return self._straight_on(request)
        _ = request.body  # wholly, before a token is looked for in it
        response: HttpResponseBase = self._with_session(request)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Refuse forged requests: Django checks the token only now, when it knows the view."""
        if not request.path_info.startswith(PAGES):
            return None
        return self._csrf.process_view(request, view, args, kwargs)
