"""Errors as pages: what was asked, what is there, and what to do."""

import psycopg
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse

from racelab_bank.audit.words import shown
from racelab_bank.page.showing import asked_by_htmx, page


def sentence(error: Exception) -> str:
    """Put into words why a look at the database failed."""
    if isinstance(error, DatabaseError | InterfaceError | psycopg.Error):
        told = " ".join(str(error).split())
        return f"the database does not answer: {told}" if told else "the database does not answer"
    return "the auditor made a mistake; its log has the traceback"


def problem(request: HttpRequest, status: int, title: str, told: str, todo: str = "") -> HttpResponse:
    """Answer a page, or to htmx a paragraph, that says what is wrong and what to do."""
    template = "problem_fragment" if asked_by_htmx(request) else "problem"
    return page(request, template, {"status": status, "title": title, "told": shown(told), "todo": todo}, status)


def database_away(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer 503; the browser tries again by itself."""
    response = problem(
        request,
        503,
        "The database does not answer",
        " ".join(str(error).split()),
        "The auditor goes on trying, and so does this page: it is back as soon as the database is.",
    )
    response["Retry-After"] = "3"
    return response


def no_such_run(request: HttpRequest, key: str) -> HttpResponse:
    """Answer 404 for a run."""
    return problem(
        request,
        404,
        "No such run",
        f"There is no run {key[:200]} in this database.",
        "The overview lists the newest 100 runs. They are kept until `make clean`, or until the database is another.",
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer requests that Django refuses to read."""
    return problem(request, 400, "This request cannot be read", str(exception))


def forbidden(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that was not sent from this page, or whose page is too old."""
    return problem(
        request,
        403,
        "This form was not sent from here",
        reason or "Its CSRF token is missing.",
        "Open the overview again and press once more. Cookies of this address must be allowed.",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - the signature is Django's
    """Answer addresses that do not exist."""
    return problem(request, 404, "Nothing is here", f"There is no {request.path[:200]} at this auditor.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for our own mistakes; the log has the traceback."""
    return problem(request, 500, "The auditor made a mistake", "Its log has the traceback.")
