"""The status of a RaceExperiment on a cluster: what is read there, and all that the operator remembers.

The models give the CRD's schema. `progress` is the operator's memory; long lists stay in the auditor.

No `from __future__ import annotations` here: pydantic needs the names at run time.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from racelab_operator.observed import Count, Operations, Outcome
from racelab_operator.status import Hold, Stage
from racelab_operator.verdict import VerdictWord

ConditionType = Literal["Progressing", "Succeeded", "ScaleConflict", "Restored"]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class Condition(_Part):
    """One condition, as Kubernetes' conventions have it."""

    type: ConditionType
    """Progressing: it is being performed; its reason is the stage. Succeeded: every step is Confirmed.
    ScaleConflict: something else scales the bank. Restored: the bank has its replicas back."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: str
    """Why, in one word."""
    message: str = ""
    """Why, in a sentence."""
    observed_generation: Count = 0
    """Of which generation of the experiment this was said."""
    last_transition_time: datetime
    """Since when the status of this condition has been what it is."""


class CurrentStep(_Part):
    """The step that is performed."""

    index: Count
    """Counted from 0."""
    name: str
    """Replicas, strategy, isolation level and window in one word."""
    position: str
    """The step's place among all, such as 4/6."""


class StepStatus(_Part):
    """What became of a step. Figures are missing where it came to no audit."""

    index: Count
    """Counted from 0."""
    name: str
    """Replicas, strategy, isolation level and window in one word."""
    strategy: str
    """The way the requests were done."""
    isolation: str
    """The isolation level of the bank's transactions."""
    replicas: Count
    """On how many replicas of the bank."""
    window_milliseconds: Count
    """How long the strategy paused at its vulnerable point."""
    outcome: Outcome
    """What the audit observed."""
    verdict: VerdictWord
    """Whether that is what was claimed, or expected by the file."""
    reason: str
    """The verdict in one sentence."""
    run: str
    """The key of the step's run: `racelab drift --run KEY` and the auditor know more of it."""
    operations: Operations | None = None
    """How many operations were told as applied, not applied, and unknown."""
    lost: Count | None = None
    """How many entries were overwritten."""
    drift_cents: int | None = None
    """Balances minus what the ledger says they must be."""
    absolute_drift_cents: Count | None = None
    """The same, summed without signs per account."""
    start_skew_microseconds: Count | None = None
    """The largest distance of a generator's first request from the common start."""
    replicas_seen: Count | None = None
    """How many replicas served a request."""


class ProgressMemory(_Part):
    """What the operator remembers between two looks; times are Unix seconds."""

    stage: Stage = "spec"
    """Where the experiment stands."""
    step: Count = 0
    """The step that is performed, counted from 0."""
    hold: Hold | None = None
    """What it waits for that may take any time."""
    conflict: str | None = None
    """What else scales the bank."""
    restored: bool | None = None
    """Whether the replicas were given back."""
    deadline: int = 0
    """When the stage has lasted too long."""
    acted_at_milliseconds: int = 0
    """When something was last done: what was seen before is not believed."""
    run_seen: bool = False
    """Whether the step's run was opened."""
    gate_decided: bool = False
    """Whether the step's load may have begun: then it is never started again."""
    missing_since: int | None = None
    """Since when something that must be there is not."""
    silent_since: int | None = None
    """Since when the auditor has not answered."""


class RaceStatus(_Part):
    """What is known of an experiment."""

    observed_generation: Count | None = None
    """The generation of the experiment that this is about."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    """Progressing, Succeeded, ScaleConflict, Restored."""
    start_time: datetime | None = None
    """When it was begun."""
    completion_time: datetime | None = None
    """When nothing was left to do."""
    original_replicas: Count | None = None
    """How many replicas the bank had before, and gets back."""
    stage: str | None = None
    """spec, replicas, load, ledger, audit, report; or what it waits for: Queued, Suspended, TargetMissing."""
    message: str | None = None
    """What is being done now, or how it ended."""
    step: CurrentStep | None = None
    """The step that is performed, or was the last one."""
    steps: tuple[StepStatus, ...] = ()
    """The steps that have ended, in their order."""
    verdict: VerdictWord | None = None
    """The verdict of the worst step, once all have ended."""
    lost: Count | None = None
    """How many entries were overwritten, in all steps that have ended."""
    drift_cents: int | None = None
    """The drift of all steps that have ended, in cents."""
    drift: str | None = None
    """The same for people, such as −186.00."""
    progress: ProgressMemory | None = None
    """The operator's memory: nothing for others to build on."""
