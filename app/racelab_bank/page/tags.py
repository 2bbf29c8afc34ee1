"""Filters of the page's templates."""

import re
from typing import Final

from django import template
from django.utils.html import escape
from django.utils.safestring import mark_safe

from racelab_bank.audit.words import clock, shown
from racelab_bank.page.money import money, signed

#: What stands between two backticks.
_CODE: Final = re.compile(r"`([^`]*)`")

register = template.Library()

register.filter("money", money)
register.filter("signed", signed)
register.filter("clock", clock)


@register.filter
def plain(text: object) -> str:
    """Return a text of a caller's as it may be shown: without what turns or hides other text."""
    return shown(str(text))


@register.filter
def words(name: str) -> str:
    """Return a kind of anomaly as words: `lost update`."""
    return name.replace("_", " ")


@register.filter
def plain_lines(text: str) -> str:
    """Return a text of several lines as it may be shown."""
    return "\n".join(shown(line) for line in text.split("\n"))


@register.filter
def safe_json(text: str) -> str:
    """Return JSON for a data block: nothing in it can end the block."""
    return mark_safe(text.replace("<", "\\u003c"))  # noqa: S308 - see above


@register.filter
def coded(text: str) -> str:
    """Return a text of ours in which `…` stands for code, as it may be shown. Escaped first."""
    return mark_safe(_CODE.sub(r"<code>\1</code>", escape(shown(text))))  # noqa: S308 - see above
