"""What the caller says about the head of every request: its method and its headers, checked.

A header may be a secret. No message here repeats what was given: it tells which header is meant by its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
AUTHORITY = re.compile(r"[\x21-\x7e]+")
# HTTP/2 has no place for them (RFC 9113, section 8.2.2).
CONNECTION_SPECIFIC = frozenset(
    {"connection", "http2-settings", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
# An empty body of these is told as a length of 0; the others have none to tell of (RFC 9110, section 8.6).
METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# These have no body unless the caller gives one.
METHODS_WITHOUT_BODY = frozenset({"GET", "HEAD"})

Field = tuple[bytes, bytes]


@dataclass(frozen=True, kw_only=True)
class Head:
    """Method and headers of every request. `authority` takes the place of the URL's, `fields` that of our defaults.

    `has_body` False: the body is empty, so there is no content type to tell.
    """

    method: str = "POST"
    authority: str | None = None
    fields: tuple[Field, ...] = field(default=(), repr=False)
    has_body: bool = True

    @classmethod
    def parse(cls, method: str, headers: Sequence[str], *, has_body: bool) -> Head:
        """Check a method and headers given as `NAME: VALUE`; raises ValueError with what is allowed."""
        if not TOKEN.fullmatch(method):
            raise ValueError(f"the method {method!r} is no HTTP token: give one word such as POST, PUT or GET")
        if method == "CONNECT":
            raise ValueError("the method CONNECT opens a tunnel and takes no path: give one such as POST, PUT or GET")
        authority, fields = None, []
        for place, header in enumerate(headers, start=1):
            name, value = _split(place, header)
            if name != "host":
                fields.append((name.encode(), value.encode("utf-8", "surrogateescape")))
            elif authority is not None:
                raise ValueError(f"--header number {place} is a second Host: give it once")
            elif not AUTHORITY.fullmatch(value):
                raise ValueError(f"--header number {place} (Host) must be HOST or HOST:PORT in ASCII, without spaces")
            else:
                authority = value
        return cls(method=method, authority=authority, fields=tuple(fields), has_body=has_body)

    @property
    def tells_empty(self) -> bool:
        """Whether an empty body is told as `content-length: 0`."""
        return self.method in METHODS_WITH_BODY

    def with_defaults(self, defaults: Sequence[Field]) -> list[Field]:
        """Give the defaults that were not given otherwise, and then what was given."""
        given = {name for name, _ in self.fields}
        return [default for default in defaults if default[0] not in given] + list(self.fields)


def _split(place: int, header: str) -> tuple[str, str]:
    """Give name (in lower case, as HTTP/2 wants it) and value of one header."""
    name, colon, value = header.partition(":")
    if header.startswith(":"):
        raise ValueError(f"--header number {place} begins with a colon: --url and --method say what these fields say")
    if not colon:
        raise ValueError(f"--header number {place} holds no colon: give 'NAME: VALUE'")
    if not TOKEN.fullmatch(name):
        raise ValueError(
            f"--header number {place}: its name, the part before the first colon, must be letters, digits and "
            "!#$%&'*+-.^_`|~, without spaces"
        )
    name, value = name.lower(), value.strip(" \t")
    if name == "content-length":
        raise ValueError(f"--header number {place} (Content-Length) is refused: it is told from the body")
    if name in CONNECTION_SPECIFIC and (name, value) != ("te", "trailers"):
        raise ValueError(
            f"--header number {place} ({name}) is about one HTTP/1.1 connection, and HTTP/2 forbids it: leave it out"
        )
    if CONTROL.search(value):
        raise ValueError(f"--header number {place} ({name}) holds a line break or control character: leave it out")
    return name, value
