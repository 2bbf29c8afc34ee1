"""Who was lost, and to whom, in reports: asked where something was found, and never at the cost of a run."""

from __future__ import annotations

import json

import jsonschema
import pytest

from brain.report_samples import SVG, Explainer, explained, finished, told
from racelab_operator.auditor import AuditorUnreachableError
from racelab_operator.interruption import Interruption
from racelab_operator.report.explaining import LONGEST_SVG, LONGEST_TEXT, Explaining
from racelab_operator.report.json import reports_as_json
from racelab_operator.report.model import ExperimentReport, report_schema


def anomalous_steps(report: ExperimentReport) -> list[str]:
    return [step.run for step in report.steps if step.outcome == "Anomalous"]


def test_only_steps_that_showed_an_anomaly_are_asked_for() -> None:
    auditor = Explainer(told(explained("17"), count=187))
    report = Explaining(auditor).add(finished())
    asked = anomalous_steps(report)
    assert len(asked) == 2
    assert auditor.asked == [(run, 3, True) for run in asked]
    for step in report.steps:
        if step.run in asked:
            assert step.interleavings is not None
            assert (step.interleavings.count, step.interleavings.missing) == (187, None)
            assert [(one.operations, one.svg) for one in step.interleavings.first] == [(("17", "23"), SVG)]
        else:
            assert step.interleavings is None
    jsonschema.validate(json.loads(reports_as_json([report])), report_schema())


@pytest.mark.parametrize(
    ("failure", "why", "interrupted"),
    [
        (AuditorUnreachableError("it does not answer"), "the auditor could not tell: it does not answer", False),
        (Interruption(2), "interrupted", True),
    ],
)
def test_an_auditor_that_fails_is_not_asked_again_and_fails_nothing(
    failure: BaseException, why: str, interrupted: bool
) -> None:
    auditor = Explainer(failure)
    explaining = Explaining(auditor)
    reports = [explaining.add(finished()), explaining.add(finished())]
    assert len(auditor.asked) == 1
    assert explaining.interrupted == interrupted
    missing = [step.interleavings.missing for report in reports for step in report.steps if step.interleavings]
    assert missing == [why] * 4


def test_without_anybody_to_ask_the_report_says_so() -> None:
    report = Explaining(None, "the cluster's auditor could not be reached").add(finished())
    missing = [step.interleavings.missing for step in report.steps if step.interleavings]
    assert missing == ["the cluster's auditor could not be reached"] * 2


def test_a_run_that_the_auditor_does_not_have_is_told() -> None:
    report = Explaining(Explainer(None)).add(finished())
    missing = {step.interleavings.missing for step in report.steps if step.interleavings}
    assert missing == {"the auditor does not have the run any more"}


def test_a_report_stays_small_whatever_an_auditor_answers() -> None:
    large = explained("17", svg="x" * (LONGEST_SVG + 1), text="y" * (LONGEST_TEXT + 1), sentence="z" * 10**6)
    report = Explaining(Explainer(told(*[large] * 9))).add(finished())
    for step in report.steps:
        if step.interleavings:
            assert [(one.svg, len(one.text), len(one.sentence)) for one in step.interleavings.first] == [
                (None, LONGEST_TEXT, LONGEST_TEXT)
            ] * 3
