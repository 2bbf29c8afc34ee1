"""The races of this process: opened on a run of their own, audited at their end, and forgotten after a while."""

import io
import json
import threading
import time
from collections import OrderedDict
from typing import Any, Final
from uuid import uuid4

from racelab_bank.auditor import auditing, explaining, histories, runs
from racelab_bank.claims import ISOLATIONS
from racelab_bank.errors import NotApplied
from racelab_bank.models import Account, Run
from racelab_bank.page.racing import AMOUNTS_CENTS, OPENING_CENTS, Abandoned, Lane, Race, Story
from racelab_bank.posting import Applied
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import Strategy, strategies

#: Each race has two connections of its own.
AT_ONCE: Final = 3
_KEPT: Final = 32
#: How long the final audit may be kept waiting by other transactions.
_AUDIT_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.1


class CannotRace(Exception):
    """The strategy or the level does not exist, or they do not go together, or enough races are on."""


def racing_strategies() -> list[Strategy]:
    """Return the strategies that can race: all that serve deposits."""
    return [one for one in strategies().values() if one.serves(scenarios()["deposit"])]


_races: OrderedDict[str, Race] = OrderedDict()
_lock = threading.Lock()


def start(strategy: str, isolation: str) -> Race:
    """Open a fresh run and a race on it; nothing has happened yet. Raises `CannotRace`."""
    chosen = _checked(strategy, isolation)
    with _lock:
        active = sum(not race.over for race in _races.values())
        if active >= AT_ONCE:
            raise CannotRace(f"{active} races are on already; each ends by itself within half a minute: try again then")
        race = _opened(chosen, isolation)
        _races[race.id] = race
        while len(_races) > _KEPT:
            _races.popitem(last=False)
    return race


def _checked(strategy: str, isolation: str) -> Strategy:
    names = [one.name for one in racing_strategies()]
    if strategy not in names:
        raise CannotRace(f"strategy: given {strategy[:100]!r}, allowed {', '.join(names)}")
    chosen = strategies()[strategy]
    if isolation not in chosen.claims:
        allowed = " or ".join(level for level in ISOLATIONS if level in chosen.claims)
        raise CannotRace(f"isolation: given {isolation[:100]!r}, allowed for {strategy}: {allowed}")
    return chosen


def _opened(strategy: Strategy, isolation: str) -> Race:
    suffix = uuid4().hex[:8]
    asked = runs.RunRequest(
        scenario="deposit",
        strategy=strategy.name,
        isolation=isolation,
        accounts=1,
        opening_cents=OPENING_CENTS,
        minimum_cents=0,
        generators=1,
        # The suffix keeps two races of one strategy apart wherever runs are told apart by their labels.
        labels={"experiment": "race-two", "step": f"{strategy.name}-{isolation}-{suffix}"},
    )
    run, _ = runs.open_run(f"page-{suffix}", asked)
    run = Run.objects.get(pk=run.pk)
    return Race(run, Account.objects.get(run=run).pk, strategy, _story)


def find(race: str) -> Race | None:
    """Return the race of that id, while it is remembered."""
    return _races.get(race)


def _story(race: Race) -> Story:
    """Close the race's run, hand in what both lanes were told, and let the audit say what became of it."""
    runs.close_run(race.run)
    histories.store(race.run, 0, io.BytesIO(_history(race)))
    audit = _final_audit(race.run)
    told = explaining.explain(race.run, operation=None, offset=0, limit=1, drawing=True)["interleavings"]
    common = {"lost": audit["lost"], "drift_cents": audit["drift_cents"]}
    if told:
        (drawn,) = told
        return Story(drawn["sentence"], drawn["reason"], **common, svg=drawn["svg"], text=drawn["text"])
    return Story(_nothing_lost(race), _why(race), **common, svg=None, text=None)


def _final_audit(run: Run) -> dict[str, Any]:
    deadline = time.monotonic() + _AUDIT_SECONDS
    while True:
        audit = auditing.audit_run(Run.objects.get(pk=run.pk))
        if audit["final"]:
            return audit
        if time.monotonic() > deadline:
            raise TimeoutError("other transactions have been open for too long; its run's page has the audit later")
        time.sleep(_POLL_SECONDS)


def _nothing_lost(race: Race) -> str:
    for lane in race.lanes:
        if isinstance(lane.outcome, Abandoned) or not lane.started:
            return f"The race was given up: {lane.outcome or f'{lane.name} never began'}. Nothing was lost."
    for lane in race.lanes:
        if isinstance(lane.outcome, NotApplied):
            return f"Nothing was lost: {lane.name} was refused and knows it ({lane.outcome})."
    for lane in race.lanes:
        if not isinstance(lane.outcome, Applied):
            return f"{lane.name} failed: {lane.outcome}".strip()
    return "Nothing was lost: both deposits are in the balance."


def _why(race: Race) -> str:
    claim = race.strategy.claim(scenarios()["deposit"], race.run.isolation).kind
    return f"{race.strategy.name}, claimed {claim}: {race.strategy.description}"


def _history(race: Race) -> bytes:
    """Return what the lanes were told, as a load generator would hand it in."""
    lanes = sorted((lane for lane in race.lanes if lane.started), key=lambda lane: lane.end_microseconds)
    lines: list[dict[str, Any]] = [_line(race, lane) for lane in lanes]
    begins = [lane.begin_microseconds for lane in lanes]
    end = {
        "end": len(lanes),
        "started_at_microseconds": min(begins, default=None),
        "start_skew_microseconds": None,
        "connections": len(lanes),
    }
    return b"".join(json.dumps(line).encode() + b"\n" for line in [*lines, end])


def _line(race: Race, lane: Lane) -> dict[str, Any]:
    outcome = lane.outcome
    applied = outcome if isinstance(outcome, Applied) else None
    refused = outcome if isinstance(outcome, NotApplied) else None
    certain = isinstance(outcome, NotApplied | Abandoned)
    return {
        "operation": lane.name,
        "type": "ok" if applied else "fail" if certain else "info",
        "account": race.account,
        "amount_cents": AMOUNTS_CENTS[lane.index],
        "status": 200 if applied else refused.status if refused else None,
        "outcome": "applied" if applied else refused.outcome if refused else None,
        "entry": str(applied.entry) if applied else None,
        "replica": "page",
        "begin_microseconds": lane.begin_microseconds,
        "end_microseconds": lane.end_microseconds,
        "error": None if applied else str(outcome).strip(),
    }
