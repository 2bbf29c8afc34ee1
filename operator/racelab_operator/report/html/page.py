"""The page: reports in, HTML out. Everything that a report says is escaped by the template engine."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import yaml
from django.template import Context, Engine
from django.utils.safestring import mark_safe

from racelab_operator.money import cents_as_text
from racelab_operator.report.html.figures import Figure, drift_figures, latency_figures, loss_figures, skew_figures
from racelab_operator.report.html.printable import all_printable, printable
from racelab_operator.report.html.steps import step_context, verdict
from racelab_operator.report.html.words import moment, summary
from racelab_operator.report.model import ExperimentReport
from racelab_operator.report.table import remarks
from racelab_operator.version import __version__
from racelab_operator.words import NOTHING, others_as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from racelab_operator.report.model import StepReport

_TEMPLATES: Final = ("page.html", "report.html", "step.html", "figures.html")
_NAMES: Final = {"postgresql": "PostgreSQL", "python": "Python", "django": "Django", "kubernetes": "Kubernetes"}
_SERIAL: Final = {True: "proved", False: "refuted", None: NOTHING}


def reports_as_html(reports: Sequence[ExperimentReport]) -> str:
    """Write reports as one page. It asks for nothing, runs no script, and shows all of itself on paper, too."""
    style = _file("report.css")
    told = [_report(report, f"r{number}") for number, report in enumerate(reports, start=1)]
    names = ", ".join(one["name"] for one in told)
    context = {
        "title": f"{names}: {told[0]['verdict']['word']}" if len(told) == 1 else names,
        "style": mark_safe(style),  # noqa: S308  our own file
        "policy": _policy(style),
        "reports": told,
        "version": __version__,
    }
    return _engine().get_template("page.html").render(Context(context, use_l10n=False, use_tz=False))


@functools.cache
def _engine() -> Engine:
    templates = {name: _file(name) for name in _TEMPLATES}
    return Engine(loaders=[("django.template.loaders.locmem.Loader", templates)], autoescape=True)


def _file(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _policy(style: str) -> str:
    """Allow this style and images that are in the page, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _report(given: ExperimentReport, anchor: str) -> dict[str, Any]:
    report = ExperimentReport.model_validate(all_printable(given.model_dump()))
    steps = report.steps
    anchors = [f"{anchor}-s{number}" for number in range(1, len(steps) + 1)]
    others = [others_as_text(step.anomalies or {}) for step in steps]
    return {
        "anchor": anchor,
        "name": report.experiment,
        "verdict": verdict(report.verdict),
        "when": moment(report.started_at, report.completed_at),
        "summary": summary(report),
        "rows": [_row(*one) for one in zip(steps, anchors, others, strict=True)],
        "others": any(others),
        "remarks": remarks(report),
        "drift": _marked(drift_figures(steps)),
        "no_drift": _no_drift(steps),
        "loss": _marked(loss_figures(steps)),
        "latency": _marked(latency_figures(steps)),
        "skew": _marked(skew_figures(steps)),
        "steps": [_marked_step(step, one) for step, one in zip(steps, anchors, strict=True)],
        "file": None if given.experiment_file is None else _as_yaml(given.experiment_file),
        "command": report.command,
        "seed": report.seed,
        "versions": list(_versions(report.versions)),
    }


def _row(step: StepReport, anchor: str, others: str) -> dict[str, Any]:
    operations = step.operations
    return {
        "anchor": anchor,
        "name": step.name,
        "operations": NOTHING if operations is None else f"{operations.ok + operations.fail + operations.info:,}",
        "lost": NOTHING if step.lost is None else f"{step.lost:,}",
        "drift": NOTHING if step.drift_cents is None else cents_as_text(step.drift_cents),
        "others": others,
        "serial": _SERIAL[None if step.certificate is None else step.certificate.serializable],
        "claim": step.claim,
        "outcome": step.outcome,
        "verdict": verdict(step.verdict),
    }


def _no_drift(steps: Sequence[StepReport]) -> str:
    """Say why there is no chart of the drift, where there is none."""
    if any(step.timeline for step in steps):
        return "No step drifted at any time: balance and ledger agreed to the cent."
    return "Nothing is known of how the drift went over time: no step has a final audit that tells it."


def _marked(figures: Sequence[Figure]) -> list[dict[str, str]]:
    """Let the template write drawings as they are: each text in them has been escaped as it was written."""
    return [{"drawing": mark_safe(one.drawing), "caption": one.caption} for one in figures]  # noqa: S308


def _marked_step(step: StepReport, anchor: str) -> dict[str, Any]:
    context = step_context(step, anchor)
    return context | {"figures": _marked(context["figures"])}


def _as_yaml(file: Mapping[str, Any]) -> str:
    """Write the experiment's file so that it reads back to the same; what does not print is written by its escape."""
    text = _yaml(file, allow_unicode=True)
    return text if printable(text) == text else _yaml(file, allow_unicode=False)


def _yaml(file: Mapping[str, Any], *, allow_unicode: bool) -> str:
    return yaml.safe_dump(dict(file), sort_keys=False, default_flow_style=None, width=96, allow_unicode=allow_unicode)


def _versions(versions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, version in versions.items():
        yield _NAMES.get(name, name), version
