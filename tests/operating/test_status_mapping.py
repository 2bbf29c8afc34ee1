"""Between the brain's status and the one on the experiment: nothing that a restart needs is lost."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brain.samples import anomalous, audit
from operating.samples import experiment
from racelab_operator.race_status import RaceStatus
from racelab_operator.status import Status, StepResult
from racelab_operator.status_mapping import remembered, told

CRD = Path(__file__).parents[2] / "helm/racelab/files/crd.yaml"
NOW = 1_790_000_000.0
RACE = experiment(strategies=["atomic_only", "row_lock"], replicas=[3, 1])
LOST = StepResult(step=0, verdict="Confirmed", outcome="Anomalous", reason="lost 187", audit=anomalous())
CLEAN = StepResult(step=1, verdict="Unknown", outcome="Unknown", reason="aborted")

seconds = st.none() | st.integers(1_700_000_000, 1_900_000_000)
statuses = st.builds(
    Status,
    stage=st.sampled_from(["spec", "replicas", "load", "ledger", "audit", "report"]),
    step=st.integers(0, 3),
    original_replicas=st.none() | st.integers(0, 32),
    restored=st.none() | st.booleans(),
    started_at=seconds,
    completed_at=seconds,
    deadline=st.integers(0, 1_900_000_000),
    acted_at_milliseconds=st.integers(0, 1_900_000_000_000),
    run_seen=st.booleans(),
    gate_decided=st.booleans(),
    missing_since=seconds,
    silent_since=seconds,
    hold=st.sampled_from([None, "Queued", "Suspended", "TargetMissing"]),
    conflict=st.none() | st.text(min_size=1),
    results=st.sampled_from([(), (LOST,), (LOST, CLEAN)]),
    verdict=st.sampled_from([None, "Confirmed", "Refuted"]),
    message=st.text(),
)


def stored(race: RaceStatus) -> RaceStatus:
    """Send a status to the API server and back."""
    return RaceStatus.model_validate_json(race.model_dump_json(by_alias=True, exclude_none=True))


@given(statuses)
def test_what_the_brain_stored_it_gets_back_but_for_the_audits(status: Status) -> None:
    race = stored(told(RACE, status, RaceStatus(), 1, NOW))
    without = tuple(result.model_copy(update={"audit": None}) for result in status.results)
    assert remembered(race) == status.model_copy(update={"results": without})


SCHEMA = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA["properties"]["status"])


@settings(deadline=None)
@given(statuses)
def test_what_is_told_fits_the_schema_of_the_cluster(status: Status) -> None:
    race = told(RACE, status, RaceStatus(), 1, NOW).model_dump(mode="json", by_alias=True, exclude_none=True)
    VALIDATOR.validate(race)


def test_figures_of_ended_steps_stay_although_their_audits_are_forgotten() -> None:
    first = stored(told(RACE, Status(stage="replicas", step=1, results=(LOST,)), RaceStatus(), 1, NOW))
    later = remembered(first).model_copy(update={"results": (*remembered(first).results, CLEAN)})
    second = told(RACE, later, first, 1, NOW)
    assert [(step.lost, step.drift_cents, step.replicas_seen) for step in second.steps] == [
        (187, -18_700, 3),
        (None, None, None),
    ]
    assert (second.lost, second.drift_cents, second.drift) == (187, -18_700, "−187.00")


def test_an_empty_status_is_a_beginning() -> None:
    assert remembered(RaceStatus()) == Status()


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    begun = stored(told(RACE, Status(stage="load", original_replicas=2), RaceStatus(), 1, NOW))
    later = told(RACE, Status(stage="audit", original_replicas=2), begun, 1, NOW + 100)
    ended = told(RACE, Status(stage="report", completed_at=1, verdict="Refuted"), begun, 1, NOW + 100)
    times = [[condition.last_transition_time for condition in race.conditions] for race in (begun, later, ended)]
    assert times[0] == times[1]
    assert times[2][0] != times[0][0]


def test_conditions_say_where_it_stands() -> None:
    def conditions(status: Status) -> dict[str, tuple[str, str]]:
        race = told(RACE, status, RaceStatus(), 1, NOW)
        return {condition.type: (condition.status, condition.reason) for condition in race.conditions}

    loading = conditions(Status(stage="load", original_replicas=2))
    assert loading["Progressing"] == ("True", "Load")
    assert loading["Succeeded"] == ("Unknown", "NotFinished")
    assert loading["Restored"] == ("False", "InUse")
    queued = conditions(Status(hold="Queued"))
    assert (queued["Progressing"], queued["Restored"]) == (("False", "Queued"), ("True", "NothingTaken"))
    refuted = conditions(Status(stage="report", completed_at=1, verdict="Refuted", original_replicas=2, restored=True))
    assert refuted["Succeeded"] == ("False", "Refuted")
    assert (refuted["Progressing"], refuted["Restored"]) == (("False", "Finished"), ("True", "GivenBack"))
    conflict = conditions(Status(stage="report", conflict="an autoscaler", restored=False, completed_at=1))
    assert (conflict["ScaleConflict"], conflict["Restored"]) == (("True", "Autoscaler"), ("False", "Failed"))


def test_the_place_among_all_steps_is_told() -> None:
    race = told(RACE, Status(stage="load", step=2), RaceStatus(), 1, NOW)
    assert race.step is not None
    assert race.step.position == "3/4"


def test_the_model_has_no_clean_audit_where_nothing_was_lost() -> None:
    result = StepResult(step=0, verdict="Confirmed", outcome="Consistent", reason="none", audit=audit())
    race = told(RACE, Status(results=(result,)), RaceStatus(), 1, NOW)
    assert (race.lost, race.drift) == (0, "0.00")
