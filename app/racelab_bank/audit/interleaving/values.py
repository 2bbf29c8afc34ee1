"""An interleaving as values: lanes, the versions that were read and written, events in order, reasons and notes.

Amounts are integer cents, times Unix microseconds; a time that was not recorded is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from racelab_bank.audit.words import shown

#: What stands at an entry that has no part in its account's balance.
LOST: Final = "LOST"


class Kind(StrEnum):
    """What an event is."""

    SENT = "sent"
    READ = "read"
    WINDOW = "window"
    WRITE = "write"
    ANSWER = "answer"


class Clock(StrEnum):
    """Whose clock a time is by: the replica's that served the operation, or the caller's, corrected at the gate."""

    REPLICA = "replica"
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class Lane:
    """One operation: its `name`, what became of it, and facts about it.

    `operation`, `entry` and `amount_cents` are None for a write without an entry. `account` is where it takes part, and
    `transaction` the one that wrote there.
    """

    name: str
    operation: str | None
    entry: str | None
    mark: str
    account: int
    amount_cents: int | None
    strategy: str
    replica: str
    worker: str
    transaction: int

    @property
    def short(self) -> str:
        """The operation's name without what it did and where: `operation 7`."""
        if self.operation is None:
            return self.name
        return f"operation {shown(self.operation)}" if self.operation else f"entry {self.entry}"


@dataclass(frozen=True, slots=True)
class Version:
    """A balance that an account had: by its `number` there, 0 for the opening.

    `lane` is whose of the lanes it is, None for others'. `writer` names it; an entry that is `lost` has no part in the
    account's balance.
    """

    account: int
    number: int
    balance_cents: int
    writer: str
    lane: int | None
    lost: bool


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a lane: `what`, in words.

    `version` is which of the versions was read or written, None for a sum and for a version that was never there.
    `replaced_cents` is what a write replaced. A window's `duration_microseconds` is from the read to the write.
    """

    lane: int
    kind: Kind
    what: str
    at_microseconds: int | None
    clock: Clock = Clock.REPLICA
    account: int | None = None
    version: int | None = None
    balance_cents: int | None = None
    replaced_cents: int | None = None
    duration_microseconds: int | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """What would have prevented it, in a sentence without its stop, and at which `event`; None: at none of them."""

    words: str
    event: int | None


@dataclass(frozen=True, slots=True)
class Interleaving:
    """What happened between two operations, or in one, or nobody knows in which: `lanes[0]` is whom it is about.

    Events and versions are in an order that is possible; versions stand account by account.
    """

    kind: str
    sentence: str
    lanes: tuple[Lane, ...]
    versions: tuple[Version, ...]
    events: tuple[Event, ...]
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]

    @property
    def operations(self) -> tuple[str, ...]:
        """The keys of its operations."""
        return tuple(lane.operation for lane in self.lanes if lane.operation is not None)

    @property
    def accounts(self) -> tuple[int, ...]:
        """The accounts that it is about."""
        return tuple(dict.fromkeys(event.account for event in self.events if event.account is not None))

    @property
    def reason(self) -> str:
        """What would have prevented it, in one sentence; empty where the lab has no answer."""
        return f"{'; '.join(one.words for one in self.reasons)}." if self.reasons else ""

    @property
    def begin_microseconds(self) -> int | None:
        """The earliest time that is known."""
        return min((event.at_microseconds for event in self.events if event.at_microseconds is not None), default=None)

    def offset(self, event: Event) -> str:
        """Return how long after the beginning an event was, in milliseconds: `3.214`, `~3.214` by the caller's clock.

        Empty where that is not known.
        """
        begin = self.begin_microseconds
        if begin is None or event.at_microseconds is None:
            return ""
        return f"{'~' if event.clock is Clock.CALLER else ''}{(event.at_microseconds - begin) / 1_000:.3f}"

    def at(self, number: int) -> tuple[int, ...]:
        """Return the numbers, from 1, of the reasons that are about an event."""
        return tuple(place for place, one in enumerate(self.reasons, start=1) if one.event == number)

    def to_json(self) -> dict[str, Any]:
        """Return it as the auditor lists it."""
        return {
            "kind": self.kind,
            "operations": list(self.operations),
            "sentence": self.sentence,
            "reason": self.reason,
            "reasons": [_fields(one) for one in self.reasons],
            "begin_microseconds": self.begin_microseconds,
            "lanes": [_fields(one) for one in self.lanes],
            "versions": [_fields(one) for one in self.versions],
            "events": [_fields(one) for one in self.events],
            "notes": list(self.notes),
        }


def _fields(value: Lane | Version | Event | Reason) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}
