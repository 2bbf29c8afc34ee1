"""Reports as JSON: written for programs, read back by `racelab report`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from racelab_operator.errors import WrongUseError
from racelab_operator.report.model import ExperimentReport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def reports_as_json(reports: Sequence[ExperimentReport]) -> str:
    """Write one report as an object, several as a list."""
    values = [report.model_dump(mode="json") for report in reports]
    return json.dumps(values[0] if len(values) == 1 else values, indent=2, ensure_ascii=False) + "\n"


def read_reports(path: Path) -> list[ExperimentReport]:
    """Read a report file.

    Raises:
        WrongUseError: it cannot be read, or is no report of this version.

    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise WrongUseError(f"{path}: cannot be read: {error.strerror}") from None
    advice = "give a file that `racelab run --json` of this version wrote"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise WrongUseError(f"{path}: is not JSON: {advice}") from None
    if not isinstance(value, dict | list):
        raise WrongUseError(f"{path}: is no report: {advice}")
    given = value if isinstance(value, list) else [value]
    try:
        return [ExperimentReport.model_validate(report) for report in given]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the report"
        raise WrongUseError(f"{path}: is no report: {place}: {first['msg'].lower()}: {advice}") from None
