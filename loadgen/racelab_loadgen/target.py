"""Where the requests go, and how a connection to it is opened and warmed up."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from racelab_loadgen.connection import Connection
from racelab_loadgen.errors import TargetError
from racelab_loadgen.exchange import Exchange
from racelab_loadgen.headers import RequestHeaders
from racelab_loadgen.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from racelab_loadgen.fields import Head

CONNECT_TIMEOUT_SECONDS = 10.0
# A peer that does not say goodbye is not waited for.
SHUTDOWN_TIMEOUT_SECONDS = 0.5
WARM_UP_TIMEOUT_SECONDS = 5.0
DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Target:
    """The URL that requests go to. `tls` is None for http://, where HTTP/2 is spoken without negotiation (h2c)."""

    url: str
    host: str
    port: int
    headers: RequestHeaders
    tls: ssl.SSLContext | None = field(repr=False)

    @classmethod
    def parse(cls, url: str, ca_file: Path | None = None, *, head: Head | None = None, verified: bool = True) -> Target:
        """Check a URL and load the certificate authority; raises ValueError with what is allowed.

        `verified` False: whatever certificate the target shows is taken.
        """
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError(f"{url!r} has scheme {parts.scheme!r}: give an https:// URL, or http:// for h2c")
        if not parts.hostname or parts.username is not None:
            raise ValueError(f"{url!r} must name a host, and no user: https://HOST[:PORT]/PATH")
        if not url.isascii() or " " in url:
            raise ValueError(f"{url!r} holds a space or a character outside ASCII: percent-encode it")
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = RequestHeaders(parts.scheme, parts.netloc, path, f"racelab-load/{VERSION}", head)
        tls = _tls(ca_file, verified=verified) if parts.scheme == "https" else None
        return cls(url, parts.hostname, port, headers, tls)

    @property
    def certificate_verified(self) -> bool | None:
        """Whether the target's certificate is verified; None where there is none."""
        return None if self.tls is None else self.tls.verify_mode == ssl.CERT_REQUIRED

    async def connect(self) -> Connection:
        """Open a connection and wait for the peer's settings; raises TargetError."""
        quiet = Quiet()
        connection = Connection(self.headers, quiet)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await loop.create_connection(
                    lambda: connection,
                    self.host,
                    self.port,
                    ssl=self.tls,
                    server_hostname=self.host if self.tls else None,
                    ssl_shutdown_timeout=SHUTDOWN_TIMEOUT_SECONDS if self.tls else None,
                )
                self._check_protocol(connection)
                await connection.settings_received
        except ssl.SSLCertVerificationError as error:
            raise TargetError(
                f"{self.url}: its certificate is not trusted ({error.verify_message}): "
                "give its certificate authority with --ca-file, or take any certificate with --insecure",
                lasting=True,
            ) from error
        except TimeoutError as error:
            connection.abort()
            raise TargetError(f"{self.url}: no HTTP/2 connection within {CONNECT_TIMEOUT_SECONDS:g} s") from error
        except OSError as error:
            raise TargetError(f"{self.url}: no connection to {self.host} port {self.port}: {error}") from error
        except BaseException:
            connection.abort()
            raise
        return connection

    def _check_protocol(self, connection: Connection) -> None:
        if self.tls is None:
            return
        chosen = connection.extra_info("ssl_object").selected_alpn_protocol()
        if chosen != "h2":
            connection.abort()
            raise TargetError(
                f"{self.url}: the server speaks no HTTP/2 (ALPN chose {chosen or 'nothing'}): "
                "enable HTTP/2 there, or put an edge that speaks it in front",
                lasting=True,
            )


class Quiet:
    """The owner of a connection that carries no operations yet: nothing hangs on what becomes of its exchanges."""

    def answered(self, *_: object) -> None:
        """Ignore it."""

    def unprocessed(self, *_: object) -> None:
        """Ignore it."""

    def broken(self, *_: object) -> None:
        """Ignore it."""

    def room_changed(self, *_: object) -> None:
        """Ignore it."""


class WarmUp(Quiet):
    """Counts the ends of the requests that warm a connection up, whatever they are."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, *_: object) -> None:
        """Count it."""
        self._left -= 1
        if self._left == 0 and not self.done.done():
            self.done.set_result(None)

    unprocessed = broken = answered


async def warm_up(connection: Connection, requests: int) -> None:
    """Measure nothing and change nothing: one PING and a few `GET /`, so that the first request meets a warm path.

    A target that does not answer them in time is used all the same.
    """
    count = min(requests, connection.room)
    owner = WarmUp(count)
    connection.owner = owner
    try:
        async with asyncio.timeout(WARM_UP_TIMEOUT_SECONDS):
            await connection.ping()
            for _ in range(count):
                connection.get(Exchange(None, b""))
            if count:
                await owner.done
    except ConnectionError as error:
        raise TargetError(f"the connection was lost during the warm-up: {error}") from error
    except TimeoutError:
        for stream_id in list(connection.exchanges):
            connection.cancel(stream_id, "the warm-up is over")


def _tls(ca_file: Path | None, *, verified: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file is not None else None)
    except OSError as error:
        raise ValueError(f"{ca_file} holds no certificate authority in PEM form: {error}") from error
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    return context
