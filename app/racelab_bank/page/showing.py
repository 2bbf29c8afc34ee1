"""What every page and part of a page is rendered with."""

import secrets
import zlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from racelab_bank.page.signing_in import signed_in, writable

#: Another one after a restart: a page then fetches itself again.
BOOT: Final = f"{version('racelab')}-{secrets.token_hex(4)}"


@cache
def assets() -> str:
    """Return what the addresses of styles and scripts carry: another text as soon as one of them is another."""
    files = sorted(path for path in (Path(__file__).parent / "static").rglob("*") if path.is_file())
    told = [version("racelab"), version("plotly"), version("django-htmx"), *(path.read_text("utf-8") for path in files)]
    return f"{zlib.crc32(chr(0).join(told).encode()):08x}"


def page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Answer a page, or a part of one."""
    common = {"boot": BOOT, "assets": assets(), "signed_in": signed_in(request), "writable": writable()}
    response = render(request, f"racelab/page/{template}.html", {**common, **context}, status=status)
    response["Cache-Control"] = "no-store"
    return response


def part(request: HttpRequest, name: str, title: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Answer a part of a page; as a page of its own to a browser that does not ask for parts."""
    if asked_by_htmx(request):
        return page(request, name, context, status)
    alone = {"title": title, "part": name, "part_template": f"racelab/page/{name}.html"}
    return page(request, "alone", {**context, **alone}, status)


def asked_by_htmx(request: HttpRequest) -> bool:
    """Whether a part of a page is wanted, and not a whole one."""
    return bool(getattr(request, "htmx", False))
