"""The report of an experiment, as it is written to JSON. docs/report.md tells each field.

No `from __future__ import annotations` here: pydantic needs the names at run time.
"""

import json
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from racelab_operator.catalog import ClaimKind
from racelab_operator.observed import Count, Outcome
from racelab_operator.verdict import VerdictWord

SCHEMA_ID: Final = "urn:racelab:report:v1"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Operations(_Part):
    """How the operations of a step ended, as its generators recorded them."""

    ok: Count
    """The bank said that it was applied."""
    fail: Count
    """It was certainly not applied: refused, in conflict, or never sent."""
    info: Count
    """Nobody knows: a timeout, a broken connection, a server error."""


class Overdrafts(_Part):
    """How many accounts fell below their floor."""

    visible: Count
    """A balance below the floor was written."""
    hidden: Count
    """The ledger's total is below the floor while the balance is not."""


class Latency(_Part):
    """Nearest-rank percentiles over the answered operations."""

    p50: float | None
    """Half of the operations took at most this long, in milliseconds."""
    p99: float | None
    """99 of 100 operations took at most this long, in milliseconds."""


class Witness(_Part):
    """One cycle: operations of which each must have come before the next, and the last before the first."""

    name: str
    """What such a cycle is called: lost_update, write_skew, read_skew, longer_cycle and others."""
    operations: tuple[str, ...]
    """The keys of its operations, in its order."""
    sentence: str
    """Who read what, and who installed what over it."""


class Certificate(_Part):
    """What is proved of the order of a step's operations."""

    serializable: bool | None
    """Whether performing them one after the other gives all that was recorded; null where nothing is proved."""
    reason: str
    """Why, in one sentence."""
    operations: Count
    """How many operations are ordered, or cannot be."""
    dependencies: dict[str, Count]
    """How many dependencies there are: write after write, read after write, write after read."""
    order: str | None
    """The serial order: places in the order of installs, as base64 of deflated differences. docs/proof.md tells how."""
    cycles: dict[str, Count] | None
    """How many groups of operations have no order, by what their smallest cycle is called."""
    operations_on_cycles: Count
    """How many operations are in such groups."""
    witnesses: tuple[Witness, ...]
    """The smallest cycles of the first groups."""


class Point(_Part):
    """The sums of all accounts at one moment of a step."""

    at_milliseconds: float
    """Since the first write."""
    ledger_total_cents: int
    """What the ledger says that the balances must add up to."""
    balance_cents: int
    """What they add up to."""
    absolute_drift_cents: Count
    """By how much they differ, summed without signs per account."""
    stale_installs: Count
    """How many writes so far were computed from a stale read."""


class Interleaving(_Part):
    """One anomaly between two operations, as `racelab explain` shows it."""

    kind: str
    """Which anomaly."""
    operations: tuple[str, ...]
    """The keys of its operations: the one that was lost comes first."""
    sentence: str
    """What happened, in one sentence."""
    text: str
    """Who read what, who wrote when, and what would have prevented it: in two lanes."""
    svg: str | None
    """The same as a drawing."""


class Interleavings(_Part):
    """The first interleavings of a step in which an anomaly was found."""

    count: Count | None
    """How many there are; null where nobody could be asked."""
    missing: str | None
    """Why none is here; null where some are."""
    first: tuple[Interleaving, ...]
    """Up to three of them."""


class StepReport(_Part):
    """One step. Figures are null where the step came to no audit."""

    name: str
    """Replicas, strategy, isolation level and window in one word."""
    scenario: str
    """What each request does."""
    strategy: str
    """The way it was done."""
    isolation: str
    """The isolation level of the bank's transactions."""
    replicas: Annotated[int, Field(ge=1)]
    """On how many replicas of the bank."""
    window_milliseconds: Count
    """How long the strategy paused at its vulnerable point."""
    outcome: Outcome
    """What the audit observed."""
    verdict: VerdictWord
    """Whether that is what was claimed, or expected by the file."""
    claim: ClaimKind
    """What the strategy claims for this scenario and isolation level."""
    operations: Operations | None
    """How the operations ended."""
    anomalies: dict[str, Count] | None
    """How often each kind of anomaly was found; 0 for those that were looked for in vain."""
    entries: Count | None
    """How many entries the ledger holds: what was truly applied. A transfer or a redemption has two."""
    lost: Count | None
    """How many of them were overwritten: their effect is missing from the balance."""
    culprits: Count | None
    """How many entries were computed from a stale read, and so overwrote others."""
    drift_cents: int | None
    """Balances minus what the ledger says they must be, over all accounts."""
    absolute_drift_cents: Count | None
    """The same, summed without signs per account: drifts in opposite directions do not hide each other."""
    overdrafts: Overdrafts | None
    """How many accounts fell below their floor."""
    replicas_seen: tuple[str, ...]
    """The replicas that served a request."""
    start_skew_microseconds: Count | None
    """The largest distance of a generator's first request from the common start."""
    requests_per_second: float | None
    """Answered operations per second."""
    latency_milliseconds: Latency | None
    """How long the operations took."""
    seconds: float | None
    """From the first request to the last answer."""
    run: str
    """The key of the step's run, for `racelab explain` and `racelab export`."""
    certificate: Certificate | None
    """What is proved of the order of its operations."""
    reason: str
    """The verdict in one sentence."""
    timeline: tuple[Point, ...] | None = None
    """How balance and ledger came to be: up to 120 moments."""
    interleavings: Interleavings | None = None
    """Who was lost, and to whom; null where no anomaly was found, and where nobody was asked."""


class ExperimentReport(_Part):
    """What came of one experiment."""

    experiment: str
    """The experiment's name."""
    verdict: VerdictWord
    """The verdict of its worst step: Refuted, Unknown, NotReproduced, Confirmed."""
    versions: dict[str, str]
    """The programs that took part, with their versions."""
    steps: tuple[StepReport, ...]
    """One per step, in the order of the experiment."""
    started_at: AwareDatetime | None = None
    """When the experiment was begun."""
    completed_at: AwareDatetime | None = None
    """When nothing was left to do."""
    experiment_file: dict[str, Any] | None = None
    """The experiment as its file gave it, without what it left out."""
    seed: Count | None = None
    """What the requests of its load were planned from."""
    command: str | None = None
    """What performs it again, where the file has the experiment's name."""


REPORTS: Final[TypeAdapter[ExperimentReport | list[ExperimentReport]]] = TypeAdapter(
    ExperimentReport | list[ExperimentReport]
)


def report_schema() -> dict[str, Any]:
    """Give the JSON Schema of a report file: one report, or a list of them when several experiments were run."""
    schema = REPORTS.json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "racelab report",
    } | schema


def schema_text() -> str:
    """Give the text of `report-schema.json`."""
    return json.dumps(report_schema(), indent=2, ensure_ascii=False) + "\n"
