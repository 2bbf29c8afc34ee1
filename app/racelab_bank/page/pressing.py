"""What changes something, and so needs the token: sign in, deposit now, race two."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods, require_POST

from racelab_bank.page import races
from racelab_bank.page.depositing import NotDeposited, deposit
from racelab_bank.page.observing import Note
from racelab_bank.page.problems import problem
from racelab_bank.page.racing import Race
from racelab_bank.page.showing import page, part
from racelab_bank.page.signing_in import is_token, signed_in, writable
from racelab_bank.page.signing_in import sign_in as give_cookie
from racelab_bank.page.signing_in import sign_out as take_cookie
from racelab_bank.page.views import inline, pickers

View = Callable[..., HttpResponse]


def pressing(view: View) -> View:
    """Answer only who has signed in, and only a POST."""

    @wraps(view)
    def answer(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if not signed_in(request):
            return problem(request, 403, "Sign in first", "What changes something needs the auditor's token.", _todo())
        return view(request, **arguments)

    return require_POST(answer)


def _todo() -> str:
    if not writable():
        return "This auditor was started without RACELAB_TOKEN: nothing can be changed here."
    return "Sign in with the token that `racelab up` prints, or the auditor's RACELAB_TOKEN."


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Take the token and give a cookie for it."""
    if request.method != "POST":
        return page(request, "sign_in", {"next": _next(request.GET.get("next"))})
    after = _next(request.POST.get("next"))
    given = request.POST.get("token", "")
    if not is_token(given):
        wrong = "Type the token." if not given.strip() else "That is not this auditor's token."
        return page(request, "sign_in", {"next": after, "wrong": f"{wrong} {_todo()}"}, status=403)
    response = HttpResponseRedirect(after)
    give_cookie(request, response)
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - the signature is Django's
    """Forget who pressed."""
    response = HttpResponseRedirect("/")
    take_cookie(response)
    return response


def _next(given: str | None) -> str:
    """Return where to go afterwards: a path of this auditor, whatever was asked."""
    safe = given and given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable()
    return given if safe and given else "/"


@pressing
def deposit_now(request: HttpRequest) -> HttpResponse:
    """Make one deposit on the playground."""
    try:
        return part(request, "deposited", "Deposit now", {"told": deposit(request.POST)})
    except NotDeposited as error:
        return part(request, "deposited", "Deposit now", {"wrong": str(error)}, status=422)


@pressing
def start_race(request: HttpRequest) -> HttpResponse:
    """Open a race, instead of the one that was on there; the first step comes at once."""
    strategy, isolation = request.POST.get("strategy", ""), request.POST.get("isolation", "")
    previous = races.find(request.POST.get("instead", ""))
    if previous is not None:
        previous.give_up()
    chosen = {**pickers(), "strategy": strategy, "isolation": isolation}
    try:
        race = races.start(strategy, isolation)
    except races.CannotRace as error:
        return part(request, "race", "Race two", {**chosen, "wrong": str(error)}, status=422)
    race.step()
    return _shown(request, race, playing="stepwise" not in request.POST)


@pressing
def step_race(request: HttpRequest, race: str) -> HttpResponse:
    """Let the next lane go on."""
    found = races.find(race)
    if found is None:
        return _forgotten(request)
    found.step()
    return _shown(request, found, playing="playing" in request.POST)


def show_race(request: HttpRequest, race: str) -> HttpResponse:
    """Show how a race stands."""
    found = races.find(race)
    if found is None:
        return _forgotten(request)
    return _shown(request, found, playing="playing" in request.GET)


def _forgotten(request: HttpRequest) -> HttpResponse:
    wrong = "This race is forgotten: start another one."
    return part(request, "race", "Race two", {**pickers(), "wrong": wrong}, status=404)


def _shown(request: HttpRequest, race: Race, *, playing: bool) -> HttpResponse:
    with race.changed:
        notes = list(race.notes)
        rows = [_row(race, number, note) for number, note in enumerate(notes)]
        story = race.story
    following = race.next_lane()
    context = {
        **pickers(),
        "strategy": race.strategy.name,
        "isolation": race.run.isolation,
        "race": race,
        "rows": rows,
        "opening": race.balances[-1],
        "story": story,
        "svg": inline(story.svg) if story and story.svg else None,
        "next": following.name if following and race.seconds_left() > 0 else None,
        "playing": playing,
        "said": "; ".join(f"{row['lane']} {row['words']}" for row in rows if row["fresh"]),
    }
    return part(request, "race", "Race two", context)


def _row(race: Race, number: int, note: Note) -> dict[str, Any]:
    other = race.lanes[1 - note.lane].name
    words = note.words
    if note.state in {"waits", "waited"}:
        words += f": BLOCKS, waits for {other}"
    return {
        "lane": race.lanes[note.lane].name,
        "first": note.lane == 0,
        "words": words,
        "state": note.state,
        "balance": race.balances.get(number),
        "fresh": number >= race.fresh,
    }
