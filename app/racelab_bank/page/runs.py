"""Runs as the page shows them: the overview's experiments with their steps, and one run with all its figures."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import BooleanField, ExpressionWrapper, Q

from racelab_bank.auditor import auditing, runs
from racelab_bank.auditor.remembering import Newest
from racelab_bank.auditor.watching import Watched, watch
from racelab_bank.form import PLAYGROUND
from racelab_bank.models import Run
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import strategies

#: Runs that are open and have no load any more are followed no longer once there are so many newer ones.
_FOLLOWED: Final = 12

#: Final figures never change: they are read once.
_KEPT_ENDED: Final = 1_000

#: How long a run that was closed may be without a final audit before its live figures are shown as they are.
_PATIENCE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run's audit says in one line; `final`: it will not change."""

    entries: int
    lost: int
    drift_cents: int
    outcome: str
    final: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One run as a line of the overview; `figures` is None where nobody follows it."""

    key: str
    name: str
    state: str
    scenario: str
    strategy: str
    isolation: str
    replicas: str
    window: str
    claim: str
    figures: Figures | None


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment with its steps, newest first."""

    name: str
    steps: tuple[Step, ...]

    @property
    def running(self) -> bool:
        """Whether one of its steps is open."""
        return any(step.state == "running" for step in self.steps)


@dataclass(frozen=True, slots=True)
class Overview:
    """The experiments, newest first, and the standing playground; None before the database has one."""

    experiments: tuple[Experiment, ...]
    playground: Watched | None


_ended: Newest[tuple[object, ...], Figures] = Newest(_KEPT_ENDED)


def overview() -> Overview:
    """Look at the newest runs. The cost does not grow with their ledgers."""
    found = list(
        Run.objects.defer("report")
        .annotate(judged=ExpressionWrapper(Q(report__isnull=False), output_field=BooleanField()))
        .exclude(key=PLAYGROUND)
        .order_by("-pk")[: runs.LISTED]
    )
    grouped: dict[str, list[Step]] = {}
    followed = 0
    for run in found:
        followed += run.closed_at is None
        figures = _figures(run) if run.closed_at or followed <= _FOLLOWED else None
        step = _step(run, figures)
        grouped.setdefault(experiment(run), []).append(step)
    playground = Run.objects.filter(key=PLAYGROUND).first()
    return Overview(
        tuple(Experiment(name, tuple(steps)) for name, steps in grouped.items()),
        watch(playground) if playground else None,
    )


def _figures(run: Run) -> Figures:
    if run.closed_at is None:
        return _told(watch(run).audit)
    judged: bool = run.judged  # type: ignore[attr-defined]  # annotated above
    state = (run.identity, judged)
    known = _ended.get(state)
    if known is not None:
        return known
    audit = auditing.audit_run(run, live=not judged)
    figures = _told(audit)
    waited = (datetime.now(UTC) - run.closed_at).total_seconds() > _PATIENCE_SECONDS
    if judged or waited:
        # What is still on its way to a run that nobody has judged for so long is on the run's own page.
        _ended[state] = figures
    return figures


def _told(audit: dict[str, Any]) -> Figures:
    return Figures(audit["entries"], audit["lost"], audit["drift_cents"], audit["outcome"], audit["final"])


def experiment(run: Run) -> str:
    """Return the name of the experiment that a run belongs to."""
    return str(run.labels.get("experiment") or "without an experiment")


def _step(run: Run, figures: Figures | None) -> Step:
    window = run.labels.get("window_milliseconds")
    return Step(
        key=run.key,
        name=name(run),
        state="running" if run.closed_at is None else "ended",
        scenario=run.scenario,
        strategy=run.strategy,
        isolation=run.isolation,
        replicas=str(run.labels.get("replicas") or "–"),
        window=f"{window} ms" if window else "–",
        claim=claim(run),
        figures=figures,
    )


def name(run: Run) -> str:
    """Return what a run is called: its step, or its key."""
    return str(run.labels.get("step") or run.key)


def claim(run: Run) -> str:
    """Return what its strategy claims there: safe, racy or aborts; nothing for what claims nothing there."""
    scenario, strategy = scenarios().get(run.scenario), strategies().get(run.strategy)
    if scenario is None or strategy is None or not strategy.serves(scenario) or run.isolation not in strategy.claims:
        return ""
    return strategy.claim(scenario, run.isolation).kind
