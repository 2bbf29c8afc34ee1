"""What is seen of an experiment: the same values on a cluster and on this machine.

`Audit`, `Run` and what they consist of are the auditor's answers, `User`, `Code` and `DuplicateBalances` those for
playing by hand; `Observed` is all that `reconcile.decide` knows about the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["Consistent", "Anomalous", "Unknown"]
LoadPhase = Literal["absent", "running", "succeeded", "failed"]
Count = Annotated[int, Field(ge=0)]


class _Answer(BaseModel):
    """A part of an answer; fields that a later auditor adds are let through."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Operations(_Answer):
    """How many operations were told as applied, not applied, and unknown."""

    ok: Count = 0
    fail: Count = 0
    info: Count = 0


class Overdrafts(_Answer):
    """How many accounts fell below their floor: visibly, or hidden by lost updates."""

    visible: Count = 0
    hidden: Count = 0


class HistoryCounts(_Answer):
    """How many histories belong to a run, how many arrived, and why each of the others never will."""

    expected: Count
    complete: Count
    lost: dict[int, str] = {}

    @property
    def all_complete(self) -> bool:
        """Whether every history arrived; true of a run that has no generators."""
        return self.complete == self.expected


class Latency(_Answer):
    """Nearest-rank percentiles, in milliseconds."""

    p50: float | None = None
    p99: float | None = None


class Witness(_Answer):
    """One cycle of operations that no serial order has, the smallest of its kind."""

    name: str
    operations: tuple[str, ...]
    sentence: str


class Certificate(_Answer):
    """What is proved of the order of a run's operations; `serializable` is None where nothing is."""

    serializable: bool | None
    reason: str
    operations: Count
    dependencies: dict[str, Count]
    order: str | None = None
    cycles: dict[str, Count] | None = None
    operations_on_cycles: Count = 0
    witnesses: tuple[Witness, ...] = ()


class Point(_Answer):
    """The sums of all accounts of a run at one moment; `stale_installs` are those so far."""

    at_milliseconds: float
    ledger_total_cents: int
    balance_cents: int
    absolute_drift_cents: Count
    stale_installs: Count


class Audit(_Answer):
    """The audit of a run, live or final: `GET /api/runs/{key}/audit`."""

    run: str
    final: bool
    outcome: Outcome
    reason: str | None = None
    anomalies: dict[str, Count]
    accounts: Count
    entries: Count
    opening_cents: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    absolute_drift_cents: int
    lost: Count
    culprits: Count
    overdrafts: Overdrafts
    identity_holds: bool
    replicas_seen: tuple[str, ...]
    writers_seen: Count
    histories: HistoryCounts
    operations: Operations
    refused: Count = 0
    conflicts: Count = 0
    start_skew_microseconds: int | None = None
    seconds: float | None = None
    requests_per_second: float | None = None
    latency_milliseconds: Latency | None = None
    certificate: Certificate | None = None
    timeline: tuple[Point, ...] | None = None

    @property
    def shown(self) -> dict[str, int]:
        """The anomalies that were found, with how often."""
        return {kind: count for kind, count in self.anomalies.items() if count}


class Gate(_Answer):
    """Where the generators of a run meet before they start together."""

    state: Literal["waiting", "open", "failed"] = "waiting"
    registered: tuple[int, ...] = ()
    start_at_microseconds: int | None = None
    reason: str | None = None


class HistoryState(_Answer):
    """What became of one generator's history."""

    state: Literal["complete", "lost"]
    reason: str | None = None


class Run(_Answer):
    """A run as the auditor keeps it, opened with so many `targets`; `accounts` is empty in lists."""

    key: str
    state: Literal["open", "closed"]
    scenario: str | None = None
    strategy: str | None = None
    isolation: str | None = None
    generators: Count
    labels: dict[str, str] = {}
    targets: Count = 0
    accounts: tuple[int, ...] = ()
    gate: Gate = Gate()
    histories: dict[int, HistoryState] = {}


class User(_Answer):
    """Somebody who can log in; `account` is what he withdraws from, None for a superuser."""

    name: str
    superuser: bool
    account: int | None = None


class Code(_Answer):
    """A discount code and an item to redeem it on, by their numbers and by the ids of their accounts."""

    code: int
    code_account: int
    item: int
    item_account: int


class AccountDrift(_Answer):
    """One account of a run: whose it is, what it says, and how many of its entries are lost."""

    account: int
    kind: str
    owner: int | None
    user: str | None
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    entries: Count
    lost: Count


class Accounts(_Answer):
    """The accounts of a run that have entries: how many there are, and those with the largest drift."""

    count: Count
    accounts: tuple[AccountDrift, ...]


class Anomaly(_Answer):
    """One anomaly in a sentence."""

    kind: str
    sentence: str


class Anomalies(_Answer):
    """How many anomalies there are, and some of them."""

    count: Count
    anomalies: tuple[Anomaly, ...]


class Explained(_Answer):
    """One anomaly between two operations, in two lanes; what they consist of stays as the auditor told it."""

    kind: str
    operations: tuple[str, ...]
    sentence: str
    reason: str
    reasons: tuple[dict[str, Any], ...] = ()
    begin_microseconds: int | None = None
    lanes: tuple[dict[str, Any], ...]
    versions: tuple[dict[str, Any], ...] = ()
    events: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    text: str
    svg: str | None = None


class Interleavings(_Answer):
    """How many interleavings there are, and some of them; `told` says why there is none."""

    run: str
    count: Count
    told: str | None = None
    interleavings: tuple[Explained, ...]


class DuplicateBalances(_Answer):
    """How often a balance was recorded again on its account, and why that misleads here; exact without reasons."""

    duplicates: Count
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """One generator: a Pod of the step's Job, or a process."""

    phase: LoadPhase
    reason: str = ""


ABSENT = Load("absent")


@dataclass(frozen=True, slots=True)
class Observed:
    """What is seen of one step at one moment. Fields that were not looked at keep their defaults.

    `at`: when the look began, Unix seconds. `step`: the index of the step that was looked at. `replicas_wanted`: the
    target's current scale; None where nobody scaled it yet and nothing has to be given back. `loads`: by generator.
    `auditor_error`: why the auditor could not be asked. `failure`: something died without which no step can go on.
    `queued_behind`: who has the bank, or comes first. `missing_target`: what is to be scaled, where it is not there.
    `autoscaler`: what else scales it.
    """

    at: float
    step: int
    replicas_wanted: int | None = None
    ready_replicas: tuple[str, ...] = ()
    run: Run | None = None
    loads: tuple[Load, ...] = ()
    audit: Audit | None = None
    auditor_error: str | None = None
    failure: str | None = None
    queued_behind: str | None = None
    missing_target: str | None = None
    autoscaler: str | None = None

    def load(self, generator: int) -> Load:
        """Give what is seen of one generator."""
        return self.loads[generator] if generator < len(self.loads) else ABSENT
