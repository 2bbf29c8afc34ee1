"""The gate: all generators of a run wait at it, learn one start time, and how far their clocks are off.

The clock offset is estimated as NTP does. Of a call that left at T0, was received at T1, answered at T2 and back at
T3, the offset is ((T1 − T0) + (T2 − T3)) / 2 and the round trip (T3 − T0) − (T2 − T1). The call with the smallest
round trip is believed: its error is at most half of that.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import TYPE_CHECKING, NamedTuple, Protocol

from racelab_loadgen.errors import AuditorError, GateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from racelab_loadgen.auditor import Stopwatch

POLL_SECONDS = 0.05
# Polling goes on after the gate opened, for better samples, but leaves this much time before the start.
SPARE_SECONDS = 0.17
# Timers are exact to about a millisecond; the rest is waited for in a loop that does nothing else.
SPIN_SECONDS = 0.002


class Sample(NamedTuple):
    """The four times of one call, in microseconds: two on this machine's clock, two on the auditor's."""

    asked: int
    received: int
    sent: int
    answered: int

    @property
    def offset_microseconds(self) -> int:
        """What to add to this machine's clock to get the auditor's."""
        return ((self.received - self.asked) + (self.sent - self.answered)) // 2

    @property
    def round_trip_microseconds(self) -> int:
        """How long the call was under way, without the auditor's own time."""
        return (self.answered - self.asked) - (self.sent - self.received)


class Opening(NamedTuple):
    """When to start on the auditor's clock, and what to add to this machine's clock to get that."""

    start_at_microseconds: int
    offset_microseconds: int


class Gatekeeper(Protocol):
    """Who is asked: the auditor."""

    async def ask_gate(self, generator: int) -> tuple[httpx.Response, Stopwatch]:
        """Register or ask again."""


def best_offset_microseconds(samples: Iterable[Sample]) -> int:
    """Give the offset of the sample with the smallest round trip."""
    return min(samples, key=lambda sample: sample.round_trip_microseconds).offset_microseconds


async def wait_for_gate(gatekeeper: Gatekeeper, generator: int, epoch_ns: int) -> Opening:
    """Ask until the gate is open; raises GateError when it failed or opened without us.

    `epoch_ns` added to `perf_counter_ns` gives this machine's Unix time.
    """
    samples: list[Sample] = []
    while True:
        answer, stopwatch = await gatekeeper.ask_gate(generator)
        if answer.status_code == 409:
            raise GateError(f"the gate refused generator {generator}: {answer.text[:300]}")
        try:
            fields = answer.json()
            state, start_at = fields["state"], fields["start_at_microseconds"]
            sample = Sample(
                asked=(stopwatch.asked_ns + epoch_ns) // 1000,
                received=int(fields["received_at_microseconds"]),
                sent=int(fields["sent_at_microseconds"]),
                answered=(stopwatch.answered_ns + epoch_ns) // 1000,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise AuditorError(f"{answer.url} answered no gate: {answer.text[:300]}") from error
        if state == "failed":
            raise GateError(f"the gate failed: {fields.get('reason') or 'without a reason'}")
        samples.append(sample)
        if state == "open":
            offset = best_offset_microseconds(samples)
            remaining = (int(start_at) - offset) / 1e6 - (perf_counter_ns() + epoch_ns) / 1e9
            if remaining < SPARE_SECONDS + POLL_SECONDS:
                return Opening(int(start_at), offset)
        await asyncio.sleep(POLL_SECONDS)


async def until(start_ns: int) -> None:
    """Wait for a `perf_counter_ns` value, the last part of it spinning; returns at once when it is past."""
    seconds = (start_ns - perf_counter_ns()) / 1e9 - SPIN_SECONDS
    if seconds > 0:
        await asyncio.sleep(seconds)
    while perf_counter_ns() < start_ns:
        pass
