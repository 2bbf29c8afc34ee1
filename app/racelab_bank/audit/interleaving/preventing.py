"""What would have prevented an anomaly: which strategies claim to, and what they would have done at that place.

What a strategy does it says itself, beside its claims. They are handed in as values, as the audit does not know the
strategies; without them, what stands here is told of no strategy in particular.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from racelab_bank import prevention
from racelab_bank.audit.interleaving.values import Event, Kind, Reason
from racelab_bank.prevention import Prevention

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    #: Who would have, how, and what else may show with it all the same.
    Way: TypeAlias = tuple[str, Prevention, frozenset[str]]

#: How many ways of other strategies are told, and how many strategies of each.
_TOLD: Final = 5
_NAMED: Final = 4

#: What claims call an anomaly, where detectors tell its culprits.
CLAIMED_AS: Final[Mapping[str, str]] = MappingProxyType({"stale_guard": "visible_overdraft"})

#: What a claim of `aborts` means: where both write one row, the one that comes late; else it is not known which.
_ABORTS_LATE: Final = Prevention("write", "would have let the database abort {late}'s write here (40001)", refuses=True)
_ABORTS_ONE: Final = Prevention("write", "would have let the database abort one of the two (40001)", refuses=True)
_ONE_ROW: Final = frozenset({"lost_update", "stale_guard"})

_GENERIC: Final[Mapping[str, Sequence[tuple[str, Prevention]]]] = MappingProxyType(
    {
        "lost_update": (
            ("a lock before the read", prevention.BLOCKS),
            ("an update that the database computes", prevention.ADDS),
            ("a comparison of versions", prevention.COMPARES),
        ),
        "write_skew": (("a lock on all that is read", prevention.BLOCKS),),
        "duplicate": (("a unique constraint", prevention.REFUSES_SECOND),),
        "stale_guard": (
            ("a lock before the check", prevention.BLOCKS),
            ("an update with the floor in its condition", prevention.ADDS_ABOVE_FLOOR),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a strategy does at an isolation level; `prevents` is None where the database aborts one of the two.

    `shows` are the kinds of anomalies that it may show all the same.
    """

    strategy: str
    isolation: str
    prevents: Prevention | None
    shows: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Remedies:
    """The lab's strategies, by the kind of anomaly that they are asked about; `isolation` is the run's level."""

    isolation: str
    of: Mapping[str, Sequence[Remedy]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Overlooking:
    """Who overlooked whom, in an anomaly of a `kind`; `strategy` is the late one's, `lane` its lane.

    `account` is the one on which the early one was overlooked.
    """

    kind: str
    early: str
    late: str
    strategy: str
    lane: int
    account: int


def reasons(between: Overlooking, events: Sequence[Event], remedies: Remedies | None) -> tuple[Reason, ...]:
    """Return what would have prevented it; nothing for a kind that is neither claimed nor known here."""
    known = () if remedies is None else remedies.of.get(CLAIMED_AS.get(between.kind, between.kind), ())
    ways = _ways(between, remedies.isolation, known) if remedies is not None and known else _generic(between.kind)
    return tuple(
        Reason(
            f"{who} {prevents.words.format(early=between.early, late=between.late)}{_but(shows)}",
            _place(between, prevents.at, events),
        )
        for who, prevents, shows in ways
    )


def _generic(kind: str) -> list[Way]:
    return [(who, prevents, frozenset()) for who, prevents in _GENERIC.get(kind, ())]


def _ways(between: Overlooking, isolation: str, known: Sequence[Remedy]) -> list[Way]:
    """Return the ways of other strategies, the best ones first, then that of the own one at other levels."""
    kind = CLAIMED_AS.get(between.kind, between.kind)
    aborts = _ABORTS_LATE if between.kind in _ONE_ROW else _ABORTS_ONE
    here = {one.strategy for one in known if one.isolation == isolation}
    good = [one for one in known if kind not in one.shows]
    others = [one for one in good if one.strategy != between.strategy]
    at_level = [(one.strategy, one) for one in others if one.isolation == isolation]
    elsewhere = [(f"{one.strategy} at {one.isolation}", one) for one in others if one.strategy not in here]
    own = [(one.isolation, one) for one in good if one.strategy == between.strategy and one.isolation != isolation]
    best = sorted(_grouped([*at_level, *elsewhere], aborts), key=_worth)[:_TOLD]
    told = [(_either(names), prevents, shows) for names, prevents, shows in best]
    for levels, prevents, shows in _grouped(own, aborts):
        told.append((f"{between.strategy} at {_either(levels)}", prevents, shows))
    return told


def _grouped(
    named: Iterable[tuple[str, Remedy]], aborts: Prevention
) -> list[tuple[list[str], Prevention, frozenset[str]]]:
    """Put together who would have done the same."""
    found: dict[tuple[Prevention, frozenset[str]], list[str]] = {}
    for name, one in named:
        found.setdefault((one.prevents or aborts, one.shows), []).append(name)
    return [(names, *how) for how, names in found.items()]


def _worth(way: tuple[list[str], Prevention, frozenset[str]]) -> tuple[bool, bool, int]:
    """Sort what leaves nothing open before what shows something else, what serves both before what refuses one."""
    names, prevents, shows = way
    return (bool(shows), prevents.refuses, -len(names))


def _either(names: Sequence[str]) -> str:
    named = [*names[:_NAMED], f"{len(names) - _NAMED} others"] if len(names) > _NAMED + 1 else list(names)
    return f"{', '.join(named[:-1])} or {named[-1]}" if len(named) > 1 else named[0]


def _but(shows: frozenset[str]) -> str:
    told = " and ".join(sorted(f"{one.replace('_', ' ')}s" for one in shows))
    return f", though it may show {told}" if shows else ""


def _place(between: Overlooking, at: str | None, events: Sequence[Event]) -> int | None:
    """Return the late one's event at which it would have been: the read that overlooked, or the write."""
    if at is None:
        return None
    wanted = Kind.READ if at == "read" else Kind.WRITE
    own = [number for number, one in enumerate(events) if one.lane == between.lane and one.kind is wanted]
    there = [number for number in own if events[number].account == between.account]
    return next(iter(there or own), None)
