"""What is remembered of an experiment while it is performed."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from racelab_operator.observed import Audit, Outcome
from racelab_operator.verdict import VerdictWord

Stage = Literal["spec", "replicas", "load", "ledger", "audit", "report"]
Hold = Literal["Queued", "Suspended", "TargetMissing"]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepResult(_Stored):
    """What became of a step; `audit` is None where it came to none."""

    step: int
    verdict: VerdictWord
    outcome: Outcome
    reason: str
    audit: Audit | None = None


class Status(_Stored):
    """All that is remembered of an experiment: serialisable, and enough to go on after any crash.

    Times are Unix seconds, rounded up; `acted_at_milliseconds` is when actions were last given out: what was observed
    before that is not believed. `missing_since` and `silent_since`: since when something that must be there is not.
    `hold`: what an experiment waits for that may take any time. `conflict`: what else scales the target.
    """

    stage: Stage = "spec"
    step: int = 0
    original_replicas: int | None = None
    restored: bool | None = None
    started_at: int | None = None
    completed_at: int | None = None
    deadline: int = 0
    acted_at_milliseconds: int = 0
    run_seen: bool = False
    gate_decided: bool = False
    missing_since: int | None = None
    silent_since: int | None = None
    hold: Hold | None = None
    conflict: str | None = None
    results: tuple[StepResult, ...] = ()
    verdict: VerdictWord | None = None
    message: str = ""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.completed_at is not None

    @property
    def holds_target(self) -> bool:
        """Whether the target's replicas are this experiment's to change: no other one may begin."""
        if self.finished or self.stage == "spec":
            return False
        return self.stage != "report" or self.original_replicas is not None  # one that never began has no replicas
