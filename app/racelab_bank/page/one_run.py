"""One run with all its figures: what its page shows first, and what its stream says afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from racelab_bank.auditor.runs import find_run
from racelab_bank.auditor.watching import Watched, watch
from racelab_bank.form import PLAYGROUND
from racelab_bank.page import runs, series
from racelab_bank.page.hub import Look


@dataclass(frozen=True, slots=True)
class Served:
    """How many entries a replica has written, and how wide its bar is: 0 to 100."""

    replica: str
    entries: int
    percent: int


def context(watched: Watched) -> dict[str, Any]:
    """Return what the run's templates show."""
    run, audit = watched.run, watched.audit
    return {
        "run": run,
        "name": runs.name(run),
        "experiment": "the standing run" if run.key == PLAYGROUND else runs.experiment(run),
        "claim": runs.claim(run),
        "audit": audit,
        "state": state(watched),
        "ended": ended(watched),
        "kinds": [(kind, number) for kind, number in audit["anomalies"].items() if number],
        "watched": watched,
        "served": served(watched.served),
    }


def state(watched: Watched) -> str:
    """Return where the run stands, in a word or two."""
    if watched.run.closed_at is None:
        return "standing" if watched.run.key == PLAYGROUND else "running"
    return "ended" if ended(watched) else "closed, being audited"


def ended(watched: Watched) -> bool:
    """Whether nothing of the run will change: it is closed, and its audit final."""
    return watched.run.closed_at is not None and bool(watched.audit["final"])


def served(by_replica: Mapping[str, int]) -> list[Served]:
    """Return what each replica has written, with bars in proportion to the one that wrote most."""
    most = max(by_replica.values(), default=0)
    return [Served(name, number, 100 * number // most) for name, number in sorted(by_replica.items())]


def curves(watched: Watched) -> str:
    """Return the run's curves so far; of a run that has ended those that were computed from all its rows."""
    timeline = watched.audit.get("timeline")
    return series.of_timeline(timeline) if timeline is not None else series.of_samples(watched.samples)


def fragments(watched: Watched) -> Mapping[str, str]:
    """Return the parts of the page that change, as HTML, by the names of their events."""
    shown = context(watched)
    names = ("state", "figures", "served", "anomalies")
    parts = {name: render_to_string(f"racelab/page/run_{name}.html", shown) for name in names}
    return parts | {"summary": render_to_string("racelab/page/run_summary.html", shown)}


def look(key: str) -> Look:
    """Look at a run for its stream. Raises `NoSuchRun`."""
    watched = watch(find_run(key))
    curve = curves(watched)
    if ended(watched):
        return Look({**fragments(watched), "series": curve}, ended=True)
    sample = series.of_samples(watched.samples[-1:])
    return Look({**fragments(watched), "sample": sample}, first={"series": curve})
