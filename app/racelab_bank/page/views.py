"""Pages to look at: the overview, one run, its anomalies, an interleaving."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from racelab_bank.auditor import auditing, explaining
from racelab_bank.auditor.runs import NoSuchRun, find_run
from racelab_bank.auditor.watching import watch
from racelab_bank.claims import ISOLATIONS
from racelab_bank.page import one_run, problems, runs
from racelab_bank.page.depositing import depositing_strategies
from racelab_bank.page.races import racing_strategies
from racelab_bank.page.showing import asked_by_htmx, page
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import Strategy

_FOUND_PER_PAGE: Final = 50
_DRAWN_PER_PAGE: Final = 5

#: Less than the auditor has threads: one looks, the others wait for it.
_LOOKERS: Final = 3
_LOOKING: Final = threading.BoundedSemaphore(_LOOKERS)


def pickers() -> dict[str, Any]:
    """Return what the forms offer."""
    return {
        "racing": [_choice(one) for one in racing_strategies()],
        "depositing": [_choice(one) for one in depositing_strategies()],
        "isolations": ISOLATIONS,
        "strategy": "read_modify_write",
        "isolation": ISOLATIONS[0],
    }


def _choice(strategy: Strategy) -> dict[str, str]:
    """Return a strategy as a list offers it: with what it claims for deposits at the first level that it is for."""
    level = next(level for level in ISOLATIONS if level in strategy.claims)
    claim = strategy.claim(scenarios()["deposit"], level).kind
    at = "" if level == ISOLATIONS[0] else f" at {level}"
    return {"name": strategy.name, "words": f"{strategy.name} ({claim}{at})"}


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show the experiments, the playground, and what can be pressed."""
    return page(request, "overview", {"overview": runs.overview(), **pickers()})


@require_safe
def run(request: HttpRequest, key: str) -> HttpResponse:
    """Show one run."""
    try:
        watched = watch(find_run(key))
    except NoSuchRun:
        return problems.no_such_run(request, key)
    curves = one_run.curves(watched)
    return page(request, "run", {**one_run.context(watched), "curves": curves, "key": key})


def _few_at_a_time(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let few look through whole runs, which takes time and memory: the rest is for the gate and the audit."""

    @wraps(view)
    def answer(request: HttpRequest, key: str) -> HttpResponse:
        if not _LOOKING.acquire(blocking=False):
            told = f"{_LOOKERS} others are looking through whole runs. Try again in some seconds."
            return problems.problem(request, 503, "Too many at a time", told)
        try:
            return view(request, key)
        finally:
            _LOOKING.release()

    return answer


@require_safe
@_few_at_a_time
def anomalies(request: HttpRequest, key: str) -> HttpResponse:
    """Show a page of the anomalies that an audit of the whole run finds."""
    try:
        found = find_run(key)
    except NoSuchRun:
        return problems.no_such_run(request, key)
    offset = _number(request, "offset")
    listed = auditing.anomalies(found, offset, _FOUND_PER_PAGE)
    more = offset + _FOUND_PER_PAGE
    context = {"run": found, "name": runs.name(found), "first": offset + 1, "listed": listed}
    context["more"] = more if more < listed["count"] else None
    return page(request, "found" if asked_by_htmx(request) else "found_page", context)


@require_safe
@_few_at_a_time
def interleaving(request: HttpRequest, key: str) -> HttpResponse:
    """Draw how an operation was lost, or overwrote others."""
    operation = request.GET.get("operation") or None
    try:
        found = find_run(key)
        told = explaining.explain(
            found, operation=operation, offset=_number(request, "offset"), limit=_DRAWN_PER_PAGE, drawing=True
        )
    except NoSuchRun:
        return problems.no_such_run(request, key)
    except explaining.UnknownOperation as error:
        return problems.problem(request, 404, "No such operation", str(error))
    drawn = [{**one, "svg": inline(one["svg"])} for one in told["interleavings"]]
    context = {"run": found, "name": runs.name(found), "told": told, "drawn": drawn, "operation": operation}
    return page(request, "interleaving" if asked_by_htmx(request) else "interleaving_page", context)


def inline(svg: str) -> str:
    """Return a drawing as it may stand in a page: its colours follow the page's, by the classes of its parts.

    It is built by ElementTree, which escapes every text.
    """
    begin, end = svg.find("<style>"), svg.find("</style>")
    without = svg if begin < 0 else svg[:begin] + svg[end + len("</style>") :]
    return mark_safe(without)  # noqa: S308 - see above


def _number(request: HttpRequest, name: str) -> int:
    given = request.GET.get(name, "0")
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise Http404(f"{name}: given {given[:50]!r}, allowed a number")
    return int(given)
