"""Every answer of the bank says which replica gave it, also the errors that Django makes."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase


def name_replica(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Add the header `Racelab-Replica`."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response["Racelab-Replica"] = settings.RACELAB_REPLICA
        return response

    return answer
