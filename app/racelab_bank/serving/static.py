"""Styles and scripts, from where they are installed: nothing is collected or copied, nothing comes from elsewhere."""

import gzip
import threading
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from whitenoise import WhiteNoise

#: Addresses carry the version, so that what is kept so long is never what was there before an upgrade.
_KEPT_SECONDS: Final = 24 * 3600

_PLOTLY: Final = "plotly.min.js"
_HTMX: Final = "htmx-2.min.js"


def with_admin_files(application: Any) -> Any:
    """Answer what lies under `STATIC_URL`, and hand everything else to the application."""
    from django.conf import settings  # noqa: PLC0415 - reads the environment
    from django.contrib import admin  # noqa: PLC0415 - needs configured settings

    return WhiteNoise(application, root=Path(admin.__file__).parent / "static", prefix=settings.STATIC_URL)


def with_page_files(application: Any) -> Any:
    """Answer the page's files and the libraries' from their wheels, and hand everything else to the application."""
    from django.conf import settings  # noqa: PLC0415 - reads the environment

    from racelab_bank.page.middleware import HEADERS  # noqa: PLC0415 - needs configured settings

    def headers(given: Any, path: str, url: str) -> None:  # noqa: ARG001 - the signature is WhiteNoise's
        for name, value in HEADERS.items():
            given[name] = value

    prefix = settings.STATIC_URL
    root = Path(__file__).parent.parent / "page" / "static"
    static = WhiteNoise(
        application,
        root=root,
        prefix=prefix,
        max_age=_KEPT_SECONDS,
        allow_all_origins=False,
        add_headers_function=headers,
    )
    htmx = _folder("django_htmx") / "static" / "django_htmx" / _HTMX
    static.add_file_to_dictionary(f"{prefix}django_htmx/{_HTMX}", str(htmx))
    plotly = _folder("plotly") / "package_data" / _PLOTLY
    static.add_file_to_dictionary(f"{prefix}plotly/{_PLOTLY}", str(plotly))
    return _packed(static, f"{prefix}plotly/{_PLOTLY}", plotly)


def _folder(package: str) -> Path:
    """Return where a package is installed, without importing it: Plotly's takes a second, and only a file is wanted."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed: install racelab with its dependencies", name=package)
    return Path(spec.origin).parent


def _packed(application: Callable[..., Iterable[bytes]], url: str, file: Path) -> Callable[..., Iterable[bytes]]:
    """Answer one large file compressed to whom takes it so: 4.8 MB are 1.5 MB, packed when first asked for."""
    lock = threading.Lock()

    @cache
    def packed() -> bytes:
        return gzip.compress(file.read_bytes(), compresslevel=6, mtime=0)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        whole = "HTTP_RANGE" not in environ and environ.get("REQUEST_METHOD") == "GET"
        if environ.get("PATH_INFO") != url or not whole or "gzip" not in environ.get("HTTP_ACCEPT_ENCODING", ""):
            return application(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            if not status.startswith("200"):
                return start_response(status, headers, *more)
            kept = [(name, value) for name, value in headers if name.lower() not in {"content-length", "vary"}]
            length = ("Content-Length", str(len(body)))
            return start_response(status, [*kept, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"), length])

        with lock:
            body = packed()
        plain = application(environ, start)
        is_file = getattr(plain, "close", None)
        if is_file is not None:
            is_file()
        return [body]

    return answer
