"""Reports: the same values as a table, as JSON, and against their published schema."""

from __future__ import annotations

import io
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain.samples import anomalous, audit, experiment
from racelab_bank.audit.registry import detectors
from racelab_operator.catalog import catalog
from racelab_operator.errors import WrongUseError
from racelab_operator.money import cents_as_text
from racelab_operator.observed import Observed
from racelab_operator.reconcile import interrupted
from racelab_operator.report.build import build_report
from racelab_operator.report.json import read_reports, reports_as_json
from racelab_operator.report.model import ExperimentReport, Interleavings, Point, StepReport, schema_text
from racelab_operator.report.progress import Lines, progress_on
from racelab_operator.report.table import console, print_report
from racelab_operator.run import Progress
from racelab_operator.status import Status, StepResult
from racelab_operator.verdict import judge

RACE = experiment(strategies=["atomic_only", "row_lock"])
SCHEMA = json.loads(resources.files("racelab_operator.report").joinpath("report-schema.json").read_text())
DOCS = Path(__file__).parents[2] / "docs"


def status(*audits: Any) -> Status:
    results = []
    for step, observed in zip(RACE.steps, audits, strict=False):
        verdict = judge(step, observed)
        results.append(
            StepResult(
                step=step.index, verdict=verdict.word, outcome=observed.outcome, reason=verdict.reason, audit=observed
            )
        )
    return Status(results=tuple(results))


def sample() -> ExperimentReport:
    return build_report(RACE, status(anomalous(), audit()))


def partial() -> ExperimentReport:
    return build_report(RACE, interrupted(RACE, status(anomalous()), "interrupted", 0))


def printed(report: ExperimentReport) -> list[str]:
    stream = io.StringIO()
    print_report(report, console(stream))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_the_schema_that_is_shipped_is_that_of_the_model() -> None:
    text = resources.files("racelab_operator.report").joinpath("report-schema.json").read_text()
    assert text == schema_text(), "run `make generate`"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("reports", [[sample()], [partial()], [sample(), partial()]], ids=["one", "partial", "two"])
def test_reports_keep_to_the_schema_and_are_read_back_as_they_were(
    tmp_path: Path, reports: list[ExperimentReport]
) -> None:
    text = reports_as_json(reports)
    jsonschema.validate(json.loads(text), SCHEMA)
    file = tmp_path / "report.json"
    file.write_text(text)
    assert read_reports(file) == reports


@pytest.mark.parametrize("field", ["name", "drift_cents", "operations", "reason"])
def test_the_schema_refuses_a_step_without_a_field(field: str) -> None:
    value = json.loads(reports_as_json([sample()]))
    del value["steps"][0][field]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, SCHEMA)


def test_every_field_of_the_report_is_documented() -> None:
    text = (DOCS / "report.md").read_text()
    for field in (name for part in (ExperimentReport, StepReport, Interleavings, Point) for name in part.model_fields):
        assert f"`{field}`" in text, field


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("7", "is no report"),
        ("{}", "is no report: experiment: field required"),
        ('{"experiment": "x", "verdict": "Maybe", "versions": {}, "steps": []}', "is no report: verdict"),
    ],
)
def test_a_file_that_is_no_report_is_told_so(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(content)
    with pytest.raises(WrongUseError, match=message):
        read_reports(file)
    with pytest.raises(WrongUseError, match="No such file"):
        read_reports(tmp_path / "missing.json")


def test_without_a_terminal_the_table_is_plain_aligned_lines() -> None:
    assert printed(sample()) == [
        "step                                       operations  lost    drift  serial   claim  outcome     verdict",
        "3-replicas-atomic_only-read-committed-0ms         300   187  −187.00  refuted  racy   Anomalous   Confirmed",
        "3-replicas-row_lock-read-committed-0ms            300     0     0.00  proved   safe   Consistent  Confirmed",
        "atomic_only at 3 replicas lost 187 of 300 deposits (drift −187.00); claimed racy: Confirmed",
        "Who was lost, and to whom, while a lab is up: racelab explain sample-uid12-0",
        "sample: Confirmed (2 of 2 steps Confirmed)",
    ]


def test_what_else_was_found_has_a_column_where_there_is_something_else() -> None:
    skewed = audit(outcome="Anomalous", anomalies={"lost_update": 0, "write_skew": 12, "visible_overdraft": 1})
    lines = printed(build_report(RACE, status(skewed, audit())))
    heading, raced, locked = (re.split("  +", line) for line in lines[:3])
    assert heading == [
        "step",
        "operations",
        "lost",
        "drift",
        "also found",
        "serial",
        "claim",
        "outcome",
        "verdict",
    ]
    assert raced[1:5] == ["300", "0", "0.00", "12 write skews, 1 visible overdraft"]
    assert locked[1:6] == ["300", "0", "0.00", "proved", "safe"]
    assert lines[1].index("racy") == lines[2].index("safe")


def test_the_report_counts_every_kind_of_anomaly_that_was_looked_for() -> None:
    [raced, _] = sample().steps
    assert raced.anomalies == {"lost_update": 187, "hidden_overdraft": 0}
    assert partial().steps[1].anomalies is None


def test_every_anomaly_that_is_claimed_or_detected_is_documented() -> None:
    text = (DOCS / "report.md").read_text()
    claimed = {kind for scenario in catalog().scenarios.values() for kind in scenario.anomalies}
    for kind in claimed | {detector.kind for detector in detectors() if detector.decisive}:
        assert f"`{kind}`" in text, kind


def test_steps_that_were_not_done_show_no_figures_and_why() -> None:
    lines = printed(partial())
    assert lines[2].split() == [
        "3-replicas-row_lock-read-committed-0ms",
        "–",
        "–",
        "–",
        "–",
        "safe",
        "Unknown",
        "Unknown",
    ]
    assert lines[-3:] == [
        "3-replicas-row_lock-read-committed-0ms: interrupted",
        "Who was lost, and to whom, while a lab is up: racelab explain sample-uid12-0",
        "sample: Unknown (1 of 2 steps Confirmed)",
    ]


def moments() -> list[Progress]:
    live = Observed(at=1.0, step=1, audit=audit(entries=150))
    return [
        Progress(RACE, Status(stage="load", message="opening the run"), Observed(at=0.5, step=0)),
        Progress(RACE, status(anomalous()).model_copy(update={"step": 1}), live),
        Progress(RACE, status(anomalous(), audit()), Observed(at=2.0, step=1)),
    ]


def test_without_a_terminal_each_finished_step_is_told_once() -> None:
    stream = io.StringIO()
    progress = progress_on(console(stream))
    assert isinstance(progress, Lines)
    with progress:
        for moment in moments() + moments()[-1:]:
            progress(moment)
    lines = stream.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "1/2 3-replicas-atomic_only-read-committed-0ms",
        "2/2 3-replicas-row_lock-read-committed-0ms",
    ]


@given(st.integers(-(10**15), 10**15))
def test_amounts_read_back_to_the_cents_they_were(cents: int) -> None:
    text = cents_as_text(cents)
    assert int(text.replace("−", "-").replace(",", "").replace(".", "")) == cents
    assert text[-3] == "."
