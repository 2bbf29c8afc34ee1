"""What is watched of an auditor's runs: which of them, what to ask again, and how they are shown. Pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from racelab_operator.report.moving_table import MovingTable
from racelab_operator.report.rows import Figures, Row, StepParts, figures_of, short_names, trace_of
from racelab_operator.report.sparkline import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from racelab_operator.observed import Audit, Run

PLAYGROUND: Final = "playground"
MOST_NAMED: Final = 10
# Of runs that had ended before anybody watched, so many are asked for at each look.
MOST_CLOSED: Final = 8


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs are watched: one, those of an experiment, or all that come."""

    run: str | None = None
    experiment: str | None = None

    def of(self, runs: Sequence[Run]) -> list[Run]:
        """Choose among runs, in their order."""
        if self.run is not None:
            return [run for run in runs if run.key == self.run]
        if self.experiment is not None:
            return [run for run in runs if run.labels.get("experiment") == self.experiment]
        return list(runs)


@dataclass(frozen=True, slots=True)
class Seen:
    """A run as it was last seen; `verdict`: what was judged of it, where that is known."""

    run: Run
    audit: Audit | None = None
    verdict: str | None = None
    trace: tuple[int, ...] = ()

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.run.state == "closed" and self.audit is not None and self.audit.final

    @property
    def word(self) -> str:
        """Say where it stands, or what became of it."""
        if self.run.state == "open":
            return "open"
        if self.audit is None or not self.audit.final:
            return "closed"
        return self.verdict or self.audit.outcome

    @property
    def figures(self) -> Figures | None:
        """What its audit shows."""
        return None if self.audit is None else figures_of(self.audit)

    @property
    def state(self) -> Literal["current", "ended"]:
        """Whether it goes on."""
        return "ended" if self.final else "current"


def performance(run: Run) -> str:
    """Name the performance of an experiment that a run belongs to: its key without the step's index."""
    return run.key.rpartition("-")[0] if "experiment" in run.labels else run.key


@dataclass(slots=True)
class Watched:
    """The runs that are watched, the oldest first, with what was seen of each."""

    selection: Selection
    seen: dict[str, Seen] = field(default_factory=dict)
    _traces: dict[str, Trace] = field(default_factory=dict)
    _set_aside: frozenset[str] | None = None

    def look(self, listed: Sequence[Run], verdicts: Mapping[str, str]) -> list[str]:
        """Take the list of the newest runs, the newest first; give the keys whose audits are to be asked for.

        Of what had been performed before the first look, only the newest experiment is watched: the others are history.
        """
        runs = self.selection.of(listed)[::-1]
        if self._set_aside is None:
            self._set_aside = _history(runs)
        known = {run.key: run for run in runs if run.key not in self._set_aside}
        self.seen = {key: self._updated(key, run, verdicts.get(key)) for key, run in known.items()}
        self._traces = {key: trace for key, trace in self._traces.items() if key in known}
        open_runs = [key for key, run in known.items() if run.state == "open"]
        closed = [key for key, one in self.seen.items() if one.run.state == "closed" and not one.final]
        return open_runs + closed[: -MOST_CLOSED - 1 : -1]

    def _updated(self, key: str, run: Run, verdict: str | None) -> Seen:
        before = self.seen.get(key)
        if before is None:
            return Seen(run, verdict=verdict)
        return Seen(run, before.audit, verdict, before.trace)

    def audited(self, key: str, audit: Audit) -> None:
        """Take the audit of a run that is watched."""
        trace = trace_of(audit) if audit.final else None
        if trace is None:
            growing = self._traces.setdefault(key, Trace())
            growing.add(audit.absolute_drift_cents)
            trace = growing.values
        one = self.seen[key]
        self.seen[key] = Seen(one.run, audit, one.verdict, trace)

    @property
    def all_asked(self) -> bool:
        """Whether every run was asked for its audit."""
        return all(one.audit is not None for one in self.seen.values())


def _history(runs: Sequence[Run]) -> frozenset[str]:
    """Give the keys of the runs that are not watched: those that ended and are not of the newest performance."""
    ended = [run for run in runs if run.state == "closed"]
    performed = [performance(run) for run in runs if run.key != PLAYGROUND]
    return frozenset(run.key for run in ended if performance(run) not in performed[-1:])


def unknown_experiment(name: str, runs: Sequence[Run]) -> str:
    """Say that no run is of this experiment, and which one may be meant."""
    known = list(dict.fromkeys(run.labels["experiment"] for run in runs if run.labels.get("experiment")))
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known[:MOST_NAMED]) or 'none'}"
    return f"--experiment: there is no run of an experiment {name}: {hint}"


def table_of(where: str, watched: Watched, notes: Sequence[str], *, whole: bool = False) -> MovingTable:
    """Lay out what is watched; `notes`: what else is to be told."""
    seen = list(watched.seen.values())
    names = _names([one.run for one in seen])
    rows = tuple(_row(one, *name) for one, name in zip(seen, names, strict=True))
    going_on = [index for index, one in enumerate(seen) if one.state == "current" and one.run.key != PLAYGROUND]
    current = going_on[-1] if going_on else max(len(rows) - 1, 0)
    captions = [line_of(seen[index]) for index in going_on] if not whole else []
    empty = [] if rows else ["no run yet: waiting for the first one"]
    experiments = list(dict.fromkeys(one.run.labels.get("experiment", "") for one in seen if one.run.key != PLAYGROUND))
    title = " · ".join(filter(None, (where, *(experiments if len(experiments) == 1 else ()))))
    told = (*empty, *captions[-2:], *map(shown, notes))
    return MovingTable(shown(title), "entries", rows, current, told, whole=whole)


def _row(one: Seen, name: str, short: str) -> Row:
    entries = "–" if one.audit is None else str(one.audit.entries)
    return Row(name, short, one.state, one.word, entries, one.figures, one.trace)


def _names(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Name runs as their steps, whole and short; before it comes the experiment, where there is more than one."""
    performed = list(dict.fromkeys(performance(run) for run in runs if run.key != PLAYGROUND))
    names: dict[str, tuple[str, str]] = {}
    for one in performed:
        steps = [run for run in runs if performance(run) == one]
        parts = [_parts(run) for run in steps]
        told = [part for part in parts if part is not None]
        short = short_names(told) if len(told) == len(steps) else [_step_name(run) for run in steps]
        for run, brief in zip(steps, short, strict=True):
            before = f"{shown(run.labels['experiment'])} " if len(performed) > 1 and "experiment" in run.labels else ""
            names[run.key] = f"{before}{_step_name(run)}", f"{before}{brief}"
    return [names.get(run.key, (run.key, run.key)) for run in runs]


def _step_name(run: Run) -> str:
    return shown(run.labels.get("step") or run.key)


def _parts(run: Run) -> StepParts | None:
    """Take a step apart by what its run says; None where it does not."""
    replicas, window = (run.labels.get(name, "") for name in ("replicas", "window_milliseconds"))
    if not (replicas.isdecimal() and window.isdecimal()):
        return None
    return StepParts(int(replicas), run.strategy or "", run.isolation or "", int(window))


def shown(text: str) -> str:
    """Give a text of a caller's as it may be printed: what would steer a terminal, or break a line, is replaced."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def line_of(one: Seen) -> str:
    """Tell a run in one line."""
    if one.figures is None:
        return f"{one.run.key}: {one.word}"
    told, stale = one.figures, one.figures.stale_installs
    figures = f"{told.entries} entries · drift {told.drift} · {told.lost} lost · {stale} stale install"
    return f"{one.run.key}: {figures}{'s' * (stale != 1)} · {one.word}"


def value_of(one: Seen) -> dict[str, Any]:
    """Give a run as a value for JSON, amounts in cents; what is not known is null."""
    audit = one.audit
    return {
        "run": one.run.key,
        "experiment": one.run.labels.get("experiment"),
        "step": one.run.labels.get("step"),
        "state": one.run.state,
        "final": one.final,
        "outcome": audit.outcome if audit is not None and audit.final else None,
        "verdict": one.verdict,
        "entries": audit and audit.entries,
        "ledger_total_cents": audit and audit.ledger_total_cents,
        "balance_cents": audit and audit.balance_cents,
        "drift_cents": audit and audit.drift_cents,
        "absolute_drift_cents": audit and audit.absolute_drift_cents,
        "lost": audit and audit.lost,
        "stale_installs": audit and audit.culprits,
    }


class Changes:
    """Finds what is new since the last look, so that each change is told once."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def of(self, watched: Watched) -> Iterator[Seen]:
        """Give the runs that are not what they were; one is told first when its figures are known."""
        for key, one in watched.seen.items():
            line = line_of(one)
            if one.audit is not None and self._told.get(key) != line:
                self._told[key] = line
                yield one
        self._told = {key: line for key, line in self._told.items() if key in watched.seen}
