"""Two real transactions that race, one step at a time: whoever presses says when the next one goes on.

Two threads with a connection each apply the same strategy to one fresh account. A strategy pauses at its vulnerable
point, its window: there a lane stands until it is let go on. After each step every lane stands, has ended, or waits for
the other's lock, which PostgreSQL is asked about. The run of the race is closed and audited like any other.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from uuid import uuid4

from django.db import DatabaseError, connection, connections

from racelab_bank.databases.postgresql import ALIASES
from racelab_bank.entries import now_microseconds
from racelab_bank.errors import NotApplied
from racelab_bank.models import Run
from racelab_bank.page.observing import Note, ObservedBank
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import Strategy

if TYPE_CHECKING:
    from racelab_bank.posting import Applied

#: What the lanes deposit: as in the strategies' own scripts, T1 +10 and T2 +50 on 100.
AMOUNTS_CENTS: Final = (1_000, 5_000)
OPENING_CENTS: Final = 10_000
NAMES: Final = ("T1", "T2")

#: A lane that nobody lets go on rolls back after so long: its locks, and what it keeps the live audits from seeing.
PATIENCE_SECONDS: Final = 25.0

#: How long a step may take until every lane stands, waits or has ended.
_SETTLE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.01

_BALANCE = """
SELECT CASE WHEN a.derived THEN a.opening_cents + coalesce(
    (SELECT sum(e.amount_cents) FROM entry e WHERE e.account = a.id), 0) ELSE a.balance_cents END::bigint
FROM account a WHERE a.id = %s"""


class Abandoned(Exception):
    """Nobody let the lane go on in time: it rolls back."""


class Lane:
    """One of the two operations, in a thread with a connection of its own."""

    def __init__(self, race: "Race", index: int) -> None:
        self.index = index
        self.name = NAMES[index]
        self.outcome: Applied | NotApplied | DatabaseError | Abandoned | None = None
        self.begin_microseconds = self.end_microseconds = 0
        self.server_pid: int | None = None
        self.stands = False
        self._race = race
        self._thread = threading.Thread(target=self._run, name=f"page {race.key} {self.name}", daemon=True)

    @property
    def started(self) -> bool:
        """Whether it was ever let go."""
        return self._thread.ident is not None

    @property
    def ended(self) -> bool:
        """Whether it has done all that it will do."""
        return self.outcome is not None

    def go_on(self) -> None:
        """Start, or leave the window."""
        if not self.started:
            self._thread.start()
            return
        with self._race.changed:
            self.stands = False
            self._race.changed.notify_all()

    def join(self) -> None:
        """Wait until it has ended; one that never started has nothing to end."""
        if self.started:
            self._thread.join()

    def begin(self, words: str) -> Note:
        """Note that something begins."""
        return self._race.note(Note(self.index, words, "doing"))

    def end(self, note: Note, words: str, state: Literal["done", "stopped"] = "done") -> None:
        """Note how it has ended."""
        with self._race.changed:
            if note.state == "waits":
                note.state = "waited"
                self._race.note(Note(self.index, f"goes on: {words}", state))
            else:
                note.words, note.state = words, state
            self._race.changed.notify_all()

    def _window(self) -> None:
        race = self._race
        with race.changed:
            self.stands = True
            race.changed.notify_all()
            race.changed.wait_for(lambda: not self.stands or race.seconds_left() <= 0, race.seconds_left())
            if self.stands:
                self.stands = False
                raise Abandoned(f"{self.name} was not let go on, and rolled back")

    def _run(self) -> None:
        race = self._race
        self.begin_microseconds = now_microseconds()
        outcome: Applied | NotApplied | DatabaseError | Abandoned
        try:
            connections[race.alias].ensure_connection()
            self.server_pid = connections[race.alias].connection.info.backend_pid
            bank = ObservedBank.of(race.alias, self.name, race.strategy.name, self._window, self)
            posting = scenarios()["deposit"].post(race.account, AMOUNTS_CENTS[self.index])
            outcome = bank.apply(race.strategy, posting)
        except (NotApplied, DatabaseError, Abandoned) as error:
            outcome = error
        finally:
            connections.close_all()
        self.end_microseconds = now_microseconds()
        with race.changed:
            self.outcome = outcome
            self.stands = False
            race.changed.notify_all()


@dataclass(frozen=True, slots=True)
class Story:
    """What became of a race, as the audit tells it: `why` it was lost, or was not; a drawing where it was."""

    sentence: str
    why: str
    lost: int
    drift_cents: int
    svg: str | None
    text: str | None


class Race:
    """A race from its start to its story. `notes` tell what happened, in order; `balances` what was there after each.

    `finish` is called in a thread of the race's own once both lanes have ended; what it returns is the `story`.
    """

    def __init__(self, run: Run, account: int, strategy: Strategy, finish: Callable[["Race"], "Story"]) -> None:
        self.id = uuid4().hex
        self.key = run.key
        self.run = run
        self.account = account
        self.strategy = strategy
        self.alias = ALIASES[run.isolation]
        self.notes: list[Note] = []
        self.balances: dict[int, int] = {-1: OPENING_CENTS}
        self.fresh = 0
        self.steps = 0
        self.story: Story | None = None
        self.failure: str | None = None
        self.changed = threading.Condition()
        self.lanes = (Lane(self, 0), Lane(self, 1))
        self._deadline = time.monotonic() + PATIENCE_SECONDS
        self._step = threading.Lock()
        self._finish = finish
        threading.Thread(target=self._see_to_the_end, name=f"page {self.key}", daemon=True).start()

    def seconds_left(self) -> float:
        """Return how long the lanes may still stand."""
        return max(0.0, self._deadline - time.monotonic())

    def give_up(self) -> None:
        """End it now: what stands rolls back."""
        with self.changed:
            self._deadline = time.monotonic()
            self.changed.notify_all()

    def note(self, note: Note) -> Note:
        """Write a note down."""
        with self.changed:
            self.notes.append(note)
            self.changed.notify_all()
        return note

    @property
    def both_ended(self) -> bool:
        """Whether nothing is left to be let go."""
        return all(lane.ended for lane in self.lanes)

    @property
    def over(self) -> bool:
        """Whether its story is told."""
        return self.story is not None or self.failure is not None

    def next_lane(self) -> Lane | None:
        """Return whom the next step lets go: first T1, then T2, then T1 to its end, then T2."""
        first, second = self.lanes
        for lane in self.lanes:
            if not lane.started:
                return lane
        if first.stands:
            return first
        return second if second.stands else None

    def step(self) -> None:
        """Let the next lane go on, and wait until every lane stands, waits for the other, or has ended."""
        with self._step:
            lane = self.next_lane()
            if lane is None or self.seconds_left() <= 0:
                return
            self.fresh = len(self.notes)
            self.steps += 1
            lane.go_on()
            self._settle()
            if not any(note.lane == lane.index for note in self.notes[self.fresh :]) and lane.stands:
                self.note(Note(lane.index, "reads nothing: stands before its write"))
            self.balances[len(self.notes) - 1] = self._balance()

    def _settle(self) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            busy = [lane for lane in self.lanes if lane.started and not lane.stands and not lane.ended]
            if all([self._waits(lane) for lane in busy]):  # noqa: C419 - each is looked at, and noted
                return
            with self.changed:
                self.changed.wait(_POLL_SECONDS)

    def _waits(self, lane: Lane) -> bool:
        """Whether a lane waits for the other one's lock; if so, that is noted."""
        other = self.lanes[1 - lane.index]
        if lane.server_pid is None or other.server_pid is None:
            return False
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_blocking_pids(%s)", [lane.server_pid])
            (blockers,) = cursor.fetchone() or ([],)
        if other.server_pid not in blockers:
            return False
        with self.changed:
            if lane.stands or lane.ended:
                return True
            for note in self.notes:
                if note.lane == lane.index and note.state == "doing":
                    note.state = "waits"
        return True

    def _balance(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(_BALANCE, [self.account])
            (cents,) = cursor.fetchone() or (OPENING_CENTS,)
        return int(cents)

    def _see_to_the_end(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.both_ended or self.seconds_left() <= 0, self.seconds_left())
        with self._step:  # a step that is under way ends first; there is no other one after the deadline
            for lane in self.lanes:
                lane.join()
        try:
            self.story = self._finish(self)
        except Exception as error:  # noqa: BLE001 - told on the page; the auditor's log has no use for it
            self.failure = f"the audit of this race failed: {error}".strip()
        finally:
            connections.close_all()
