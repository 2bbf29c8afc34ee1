"""What the tests of the page's answers share."""

import re
from html import unescape
from typing import Any

from racelab_bank.auditor import runs
from racelab_bank.models import Run


def open_run(key: str = "one", labels: dict[str, str] | None = None, strategy: str = "atomic_only") -> Run:
    asked = runs.RunRequest(
        scenario="deposit", strategy=strategy, isolation="read-committed", accounts=1, opening_cents=100,
        minimum_cents=0, generators=1, labels=labels or {},
    )  # fmt: skip
    runs.open_run(key, asked)
    return Run.objects.get(key=key)


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))
