"""One step of a report, as its section of the page shows it. Pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from racelab_operator.money import cents_as_text
from racelab_operator.report.html.figures import step_figures
from racelab_operator.report.html.words import MARKS, counted
from racelab_operator.words import NOTHING, others_as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_operator.report.model import Certificate, Interleaving, Interleavings, StepReport

_PROVED: Final = {
    True: "A serial order is proved",
    False: "A serial order is refuted",
    None: "Nothing is proved",
}
_DEPENDENCIES: Final = {"ww": "write after write", "wr": "read after write", "rw": "write after read"}


def step_context(step: StepReport, anchor: str) -> dict[str, Any]:
    """Give what the step's part of the template takes."""
    return {
        "anchor": anchor,
        "name": step.name,
        "verdict": verdict(step.verdict),
        "reason": step.reason,
        "facts": list(_facts(step)),
        "figures": step_figures(step),
        "no_drift": bool(step.timeline) and not step_figures(step),
        "certificate": step.certificate and _certificate(step.certificate),
        "interleavings": step.interleavings and _interleavings(step.interleavings, step.run),
    }


def verdict(word: str) -> dict[str, str]:
    """Give a verdict's word, its mark, and the class of its look."""
    return {"word": word, "mark": MARKS[word], "look": word.lower()}


def _facts(step: StepReport) -> Iterator[tuple[str, str]]:
    yield "claim", step.claim
    yield "outcome", step.outcome
    yield "replicas", _replicas(step)
    if (operations := step.operations) is not None:
        told = f"{operations.ok:,} applied, {operations.fail:,} not applied, {operations.info:,} unknown"
        yield "operations", told
    if step.entries is not None:
        yield "entries in the ledger", f"{step.entries:,}"
    if step.lost is not None:
        yield "lost", f"{step.lost:,}"
    if step.culprits:
        yield "computed from a stale read", f"{step.culprits:,}"
    if step.drift_cents is not None:
        absolute = step.absolute_drift_cents
        more = "" if absolute in {None, abs(step.drift_cents)} else f" (without signs {cents_as_text(absolute or 0)})"
        yield "drift", f"{cents_as_text(step.drift_cents)}{more}"
    if others := others_as_text(step.anomalies or {}):
        yield "also found", others
    yield from _speed(step)
    yield "run", step.run


def _replicas(step: StepReport) -> str:
    if not step.replicas_seen:
        return f"{step.replicas}"
    return f"{step.replicas}, requests served by {', '.join(step.replicas_seen)}"


def _speed(step: StepReport) -> Iterator[tuple[str, str]]:
    if step.seconds is not None:
        rate = "" if step.requests_per_second is None else f", {step.requests_per_second:,.1f} answers per second"
        yield "took", f"{step.seconds:,.2f} s{rate}"
    if (latency := step.latency_milliseconds) is not None:
        told = (NOTHING if value is None else f"{value:,.1f} ms" for value in (latency.p50, latency.p99))
        yield "latency", "p50 {}, p99 {}".format(*told)
    if step.start_skew_microseconds is not None:
        yield "start skew", f"{step.start_skew_microseconds:,} µs"


def _certificate(certificate: Certificate) -> dict[str, Any]:
    dependencies = ", ".join(
        f"{count:,} {_DEPENDENCIES.get(kind, kind)} ({kind})" for kind, count in certificate.dependencies.items()
    )
    told = f"{counted(certificate.operations, 'operation')}; dependencies: {dependencies or 'none'}."
    if certificate.cycles:
        cycles = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in certificate.cycles.items())
        inside = counted(certificate.operations_on_cycles, "operation")
        told += f" Groups without an order, by their smallest cycle: {cycles}, of {inside}."
    return {
        "proved": _PROVED[certificate.serializable],
        "reason": certificate.reason,
        "counts": told,
        "witnesses": [
            {"name": witness.name.replace("_", " "), "sentence": witness.sentence} for witness in certificate.witnesses
        ],
    }


def _interleavings(interleavings: Interleavings, run: str) -> dict[str, Any]:
    count, shown = interleavings.count, len(interleavings.first)
    more = ""
    if count is not None and count > shown > 0:
        told = f"{shown} of {counted(count, 'interleaving')}"
        more = f"{told}; while the lab of this run is up, `racelab explain {run} --limit 20` shows more."
    return {
        "missing": interleavings.missing,
        "more": more,
        "first": [_interleaving(one) for one in interleavings.first],
    }


def _interleaving(one: Interleaving) -> dict[str, Any]:
    """Give one, with its drawing as an image: whatever is in it, an image runs no script and asks for nothing."""
    encoded = None if one.svg is None else base64.b64encode(one.svg.encode()).decode("ascii")
    return {"kind": one.kind.replace("_", " ").capitalize(), "sentence": one.sentence, "text": one.text, "svg": encoded}
