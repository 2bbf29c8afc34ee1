"""The auditor's runs and the generators at their gates, as docs/contracts.md has them, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from brain.samples import anomalous, audit
from racelab_operator.observed import Audit, Gate, HistoryCounts, HistoryState, LoadPhase, Run

if TYPE_CHECKING:
    from racelab_operator.steps import Step

GATE_SECONDS = 60
SETTLE_SECONDS = 1
CLEAN, RACED = audit(), anomalous()


@dataclass(eq=False)
class Generator:
    """One generator's Pod: it registers, waits for the gate, sends for a while, uploads and ends."""

    phase: LoadPhase = "running"
    reason: str = ""
    sending_until: float | None = None
    hangs: bool = False
    stopped: bool = False

    def fail(self, reason: str) -> None:
        self.phase, self.reason = "failed", reason


@dataclass(eq=False)
class SimulatedRun:
    """A run of the auditor."""

    step: Step
    key: str
    registered: dict[int, Generator] = field(default_factory=dict)
    gate: Literal["waiting", "open", "failed"] = "waiting"
    gate_since: float | None = None
    histories: dict[int, HistoryState] = field(default_factory=dict)
    closed_at: float | None = None
    replicas_seen: int = 0
    _shown: Run | None = None

    def ask_gate(self, generator: int, load: Generator, now: float) -> bool:
        """Register or ask again; whether the generator may send.

        A Pod that was not registered when the gate opened is refused, also when another of its index was.
        """
        if self.gate == "waiting":
            self._register(generator, load, now)
        if self.gate == "open" and self.registered.get(generator) is load:
            return True
        if self.gate != "waiting":
            load.fail(f"the gate is {self.gate} already")
        return False

    def _register(self, generator: int, load: Generator, now: float) -> None:
        if self.gate_since is None:
            self.gate_since = now
        self.registered[generator] = load
        if now > self.gate_since + GATE_SECONDS:
            self.gate = "failed"
        elif len(self.registered) == self.step.load.generators:
            self.gate = "open"
        self._shown = None

    def store(self, generator: int, history: HistoryState) -> None:
        self.histories[generator] = history
        self._shown = None

    def close(self, now: float) -> None:
        if self.closed_at is None:
            self.closed_at = now
            self._shown = None

    def shown(self) -> Run:
        """Give the run as it is now; made anew only when it has changed."""
        if self._shown is None:
            self._shown = Run.model_construct(
                key=self.key,
                state="open" if self.closed_at is None else "closed",
                generators=self.step.load.generators,
                gate=Gate.model_construct(state=self.gate, registered=tuple(self.registered)),
                histories=dict(self.histories),
            )
        return self._shown

    def audit(self, now: float) -> Audit:
        """Give the audit: a racy strategy on several replicas has raced, and whoever sent on all was seen."""
        races = self.step.claim.kind == "racy" and self.replicas_seen > 1
        expected = self.step.load.generators
        complete = sum(history.state == "complete" for history in self.histories.values())
        lost = {number: history.reason or "" for number, history in self.histories.items() if history.state == "lost"}
        changes = {
            "run": self.key,
            "final": self.closed_at is not None and now > self.closed_at + SETTLE_SECONDS,
            "outcome": "Anomalous" if races else "Consistent" if complete == expected else "Unknown",
            "replicas_seen": tuple(f"bank-{index}" for index in range(self.replicas_seen)),
            "writers_seen": self.replicas_seen,
            "histories": HistoryCounts.model_construct(expected=expected, complete=complete, lost=lost),
        }
        return (RACED if races else CLEAN).model_copy(update=changes)
