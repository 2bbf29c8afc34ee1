"""Who may press: whoever has shown the auditor's token keeps a signed cookie, and every other reader only looks.

The cookie is signed with the token itself: it lives through a restart of the auditor, and ends with the token.
"""

import hmac
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest
from django.http.response import HttpResponseBase

COOKIE: Final = "racelab_page"
_SECONDS: Final = 12 * 3600
_SALT: Final = "racelab page"
_VALUE: Final = "may press"


def writable() -> bool:
    """Whether anybody may change anything here: not where the auditor was started without a token."""
    return bool(settings.RACELAB_TOKEN)


def is_token(given: str) -> bool:
    """Compare in constant time."""
    return writable() and hmac.compare_digest(given.strip().encode(), settings.RACELAB_TOKEN.encode())


def signed_in(request: HttpRequest) -> bool:
    """Whether the request shows the cookie of somebody who has shown the token."""
    given = request.COOKIES.get(COOKIE)
    if not given or not writable():
        return False
    try:
        return bool(_signer().unsign(given, max_age=_SECONDS) == _VALUE)
    except BadSignature:
        return False


def sign_in(request: HttpRequest, response: HttpResponseBase) -> None:
    """Give the cookie, which no script reads and no other site sends."""
    value = _signer().sign(_VALUE)
    response.set_cookie(
        COOKIE, value, max_age=_SECONDS, httponly=True, samesite="Strict", secure=request.is_secure(), path="/"
    )


def sign_out(response: HttpResponseBase) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, samesite="Strict")


def _signer() -> TimestampSigner:
    return TimestampSigner(key=settings.RACELAB_TOKEN, salt=_SALT)
