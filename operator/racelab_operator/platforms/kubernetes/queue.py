"""One experiment at a time has the bank; the others wait in the order in which they were made. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Race = dict[str, Any]


def behind(name: str, races: Iterable[Race]) -> str | None:
    """Say for which experiment this one has to wait; None when it is its turn.

    `races`: all experiments of the namespace, as the API server gives them. Whoever has the bank comes first; then the
    oldest one that neither has ended nor is suspended.
    """
    waiting = [race for race in races if not _status(race).get("completionTime")]
    for race in waiting:
        if _has_the_bank(race):
            return None if _name(race) == name else f"{_name(race)}, which has the bank"
    candidates = [race for race in waiting if not _is_held_back(race)]
    first = min(candidates, key=_age, default=None)
    if first is None or _name(first) == name or all(_name(race) != name for race in candidates):
        return None
    return f"{_name(first)}, which comes first"


def _has_the_bank(race: Race) -> bool:
    """Whether its replicas were noted and not given back yet; an experiment that is being deleted gives them back."""
    status = _status(race)
    stage = (status.get("progress") or {}).get("stage", "spec")
    # One that was given up before it began has nothing to give back.
    return stage != "spec" and (stage != "report" or "originalReplicas" in status)


def _is_held_back(race: Race) -> bool:
    return bool(race["spec"].get("suspend")) or "deletionTimestamp" in race["metadata"]


def _age(race: Race) -> tuple[str, str]:
    return race["metadata"]["creationTimestamp"], _name(race)


def _name(race: Race) -> str:
    name: str = race["metadata"]["name"]
    return name


def _status(race: Race) -> dict[str, Any]:
    return race.get("status") or {}
