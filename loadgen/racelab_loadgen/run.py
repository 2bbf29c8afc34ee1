"""One run of a load generator: accounts, connections, gate, load, history."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import time
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from racelab_loadgen.arrivals.registry import all_arrivals
from racelab_loadgen.auditor import Auditor
from racelab_loadgen.engine import Engine
from racelab_loadgen.errors import AuditorError
from racelab_loadgen.gate import until, wait_for_gate
from racelab_loadgen.history import History

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from racelab_loadgen.arrivals.registry import Running
    from racelab_loadgen.errors import LoadError
    from racelab_loadgen.plan import Plan
    from racelab_loadgen.target import Target

GRACE_SECONDS = 5.0
# Collecting garbage more rarely: an exchange leaves no cycles behind.
GARBAGE_THRESHOLD = 50_000


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one run is. `auditor` is its URL, run key and token; None runs alone, at once.

    `accepted` holds the statuses that mean success, where these are not 2xx.
    """

    target: Target
    plan: Plan
    arrival: str
    timeout_seconds: float
    duration_seconds: float | None = None
    auditor: tuple[str, str, str] | None = None
    history: Path | None = None
    accepted: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Report:
    """How a run went: the summary, and the fault that ended it early, if any."""

    summary: dict[str, Any]
    fault: LoadError | None


class Ready(NamedTuple):
    """What is ready to start, and when: a `perf_counter_ns`, None for at once."""

    engine: Engine
    arrival: Running
    start_ns: int | None


class Run:
    """Performs one run. Raises LoadError where it ends before the history could be delivered."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._history = History(options.plan.amount_cents, options.history, options.accepted)
        self._local_epoch_ns = time.time_ns() - perf_counter_ns()
        self._history.epoch_ns = self._local_epoch_ns
        self._preparing: asyncio.Task[Ready] | None = None
        self._engine: Engine | None = None
        self._abandoned = self._loop.create_future()
        self._auditor: Auditor | None = None
        self._stopped = False

    async def perform(self) -> Report:
        """Run from the first control call to the upload."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
        async with AsyncExitStack() as stack:
            stack.callback(self._history.close)
            # Before the gate: a collection takes longer than the time between the gate's opening and the start.
            stack.enter_context(_quiet_garbage())
            auditor = None
            if self._options.auditor is not None:
                auditor = await stack.enter_async_context(Auditor(*self._options.auditor))
                self._auditor = auditor
            stack.push_async_callback(self._close_engine)
            self._preparing = self._loop.create_task(self._prepare(auditor))
            try:
                ready = await self._preparing
            except asyncio.CancelledError:
                if not self._stopped:
                    raise
                report = self._nothing_sent()
            else:
                report = await self._load(*ready)
            if auditor is not None:
                await auditor.upload(self._options.plan.generator, self._history)
            return report

    async def _prepare(self, auditor: Auditor | None) -> Ready:
        """Get everything ready to start."""
        options = self._options
        plan = options.plan
        if auditor is not None:
            plan = await _planned(plan, auditor)
        engine = self._engine = Engine(options.target, plan, self._history, options.timeout_seconds)
        await engine.open()
        arrival = all_arrivals()[options.arrival](engine)
        start_ns = None
        if auditor is not None:
            opening = await wait_for_gate(auditor, plan.generator, self._local_epoch_ns)
            self._history.epoch_ns = self._local_epoch_ns + opening.offset_microseconds * 1000
            start_ns = opening.start_at_microseconds * 1000 - self._history.epoch_ns
        await arrival.prepare()
        return Ready(engine, arrival, start_ns)

    async def _load(self, engine: Engine, arrival: Running, start_ns: int | None) -> Report:
        if start_ns is not None:
            await until(start_ns)
        cpu_seconds = _cpu_seconds()
        arrival.start()
        started_ns = perf_counter_ns()
        if self._options.duration_seconds is not None:
            self._loop.call_later(self._options.duration_seconds, engine.stop)
        finishing = self._loop.create_task(arrival.finish())
        await asyncio.wait({finishing, self._abandoned}, return_when=asyncio.FIRST_COMPLETED)
        if not finishing.done():
            finishing.cancel()
            await asyncio.gather(finishing, return_exceptions=True)
            await asyncio.wait_for(engine.settled(), GRACE_SECONDS)
        else:
            await finishing
        seconds = (perf_counter_ns() - started_ns) / 1e9
        cpu_seconds = _cpu_seconds() - cpu_seconds
        skew = (started_ns - start_ns) // 1000 if start_ns is not None else 0
        return self._finish(started_ns, skew, seconds, cpu_seconds)

    def _nothing_sent(self) -> Report:
        return self._finish(perf_counter_ns(), 0, 0.0, 0.0)

    def _finish(self, started_ns: int, skew: int, seconds: float, cpu_seconds: float) -> Report:
        history, engine = self._history, self._engine
        connections = engine.pool.connections_opened if engine is not None else 0
        history.finish(started_ns=started_ns, start_skew_microseconds=skew, connections=connections)
        total = history.total
        summary = {
            "url": self._options.target.url,
            "arrival": self._options.arrival,
            "certificate_verified": self._options.target.certificate_verified,
            "operations": dict(history.counts),
            "statuses": {str(status): count for status, count in sorted(history.statuses.items())},
            "seconds": round(seconds, 6),
            "requests_per_second": round(total / seconds, 1) if seconds and total else None,
            "latency_milliseconds": {
                "p50": history.latencies.percentile_milliseconds(50),
                "p99": history.latencies.percentile_milliseconds(99),
            },
            "answered_before_their_last_byte": engine.answered_early if engine is not None else 0,
            "start_skew_microseconds": skew,
            "cpu_microseconds_per_request": round(cpu_seconds * 1e6 / total, 1) if total else None,
            "connections": connections,
            "maximum_concurrent_streams": engine.pool.maximum_streams if engine is not None else None,
        }
        return Report(summary, engine.fault if engine is not None else None)

    async def _close_engine(self) -> None:
        if self._engine is not None:
            await self._engine.close()

    def _stop(self) -> None:
        """Take SIGTERM or SIGINT: the first stops sending, the second stops waiting for answers."""
        if self._auditor is not None:
            self._auditor.patient = False
        if self._preparing is not None and not self._preparing.done():
            self._stopped = True
            self._preparing.cancel()
        elif self._engine is not None:
            if self._stopped:
                self._abandon()
            else:
                self._stopped = True
                self._engine.stop()
                self._loop.call_later(GRACE_SECONDS, self._abandon)

    def _abandon(self) -> None:
        if self._engine is not None and not self._abandoned.done():
            self._engine.abandon("the run was stopped before the answer")
            self._abandoned.set_result(None)


async def _planned(plan: Plan, auditor: Auditor) -> Plan:
    """Give the plan on the accounts of the auditor's run, or on its owners; raises AuditorError."""
    accounts = tuple(range(1, await auditor.targets() + 1)) if plan.names_owners else await auditor.accounts()
    try:
        return replace(plan, accounts=accounts)
    except ValueError as error:
        raise AuditorError(f"the accounts of the auditor's run do not fit the flags: {error}") from error


@contextmanager
def _quiet_garbage() -> Iterator[None]:
    """Collect garbage rarely, and never what was there before."""
    threshold = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
