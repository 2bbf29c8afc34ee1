"""What is sent: a form or any other text, with placeholders. Pure.

A text becomes a bytes template once, with what is the same in every request filled in; each request then costs one `%`.
"""

from __future__ import annotations

import re
from urllib.parse import quote

PLACEHOLDERS = ("account", "amount", "operation", "other", "owner", "run")
DEFAULT_FORM = "account={account}&amount={amount}&operation={operation}"
_PLACEHOLDER = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")


def checked_form(form: str) -> str:
    """Give the form; raises ValueError for an unknown placeholder, and for what a form must percent-encode."""
    allowed = [f"{{{name}}}" for name in PLACEHOLDERS]
    for piece in re.findall(r"\{[^{}]*\}", form):
        if piece not in allowed:
            raise ValueError(
                f"the form holds {piece}: allowed are {', '.join(allowed)}; write other braces as %7B and %7D, "
                "or give a body that is no form with --body"
            )
    if not form.isascii():
        raise ValueError(f"the form {form!r} holds characters outside ASCII: percent-encode them")
    return form


def placeholders(text: str) -> frozenset[str]:
    """Give the names of the placeholders that a text holds."""
    return frozenset(_PLACEHOLDER.findall(text))


def in_form(key: str) -> str:
    """Percent-encode a key as the value of a form's field."""
    return quote(key, safe="", errors="surrogateescape")


def template(text: str, *, amount_cents: int, run: str) -> bytes:
    """Turn a text into a bytes template for `%`, with amount and run filled in; all braces but placeholders stay."""
    constants = {"amount": str(amount_cents), "run": run.replace("%", "%%")}

    def filled(found: re.Match[str]) -> str:
        name = found[1]
        return constants.get(name, f"%({name})d")

    try:
        return _PLACEHOLDER.sub(filled, text.replace("%", "%%")).encode()
    except UnicodeEncodeError as error:
        raise ValueError("the body is no UTF-8 text: give it in UTF-8") from error
