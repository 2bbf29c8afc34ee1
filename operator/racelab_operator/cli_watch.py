"""`racelab watch`: the runs of a lab while they go on, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import click

from racelab_operator.cli_options import examples, home_option
from racelab_operator.cli_platform import KUBERNETES, platform_options, refuse_flags_of_others
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.interruption import Interruption, interruptible
from racelab_operator.report.ascii import InAscii, draws_ascii
from racelab_operator.report.screen import Screen, can_move
from racelab_operator.report.table import console
from racelab_operator.runs import unknown_run
from racelab_operator.watch_lab import EndedError, LabRuns, StartingError
from racelab_operator.watched import (
    Changes,
    Selection,
    Watched,
    line_of,
    table_of,
    unknown_experiment,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from rich.console import Console

    from racelab_operator.observed import Audit, Run
    from racelab_operator.watched import Seen

LOOK_SECONDS: Final = 1.0


class _Source(Protocol):
    """Where the runs are: a lab on this machine, or on a cluster."""

    where: str

    def runs(self) -> list[Run]: ...

    def run(self, key: str) -> Run | None: ...

    def audit(self, key: str) -> Audit | None: ...

    def verdicts(self) -> dict[str, str]: ...

    def notes(self) -> list[str]: ...

    def lost(self, error: RacelabError) -> str: ...

    def close(self) -> None: ...


@click.command(
    epilog=examples(
        "racelab watch",
        "racelab watch --experiment quickstart",
        "racelab watch --run playground --json | jq .drift_cents",
        "racelab watch --platform kubernetes --namespace lab",
    )
)
@click.option(
    "--run", "key", metavar="NAME", help="Only this run; it ends when the run has. `racelab status` lists them."
)
@click.option("--experiment", metavar="NAME", help="Only the runs of this experiment.")
@click.option("--once", is_flag=True, help="Print what there is now, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print each change as a line of JSON, amounts in cents.")
@platform_options
@home_option
def watch(key: str | None, experiment: str | None, *, once: bool, as_json: bool, **flags: Any) -> int:
    """Watch the runs of a lab: the drift of each while its load goes on, and what came of it.

    The newest experiment is shown, and every run that comes later. On a terminal it is a table that moves, else a line
    for each change. `stale` counts installs that were computed from a stale read. The bars of `drift over time` are as
    high as the accounts are off by, whatever the sign. On a cluster, verdicts are told; on this machine `racelab run`
    tells them, and the audit's outcome is shown here.

    Exit codes: 0 ended by Ctrl-C, or nothing more to see; 2 a wrong flag, or no such run; 3 no lab is there any more.
    """
    refuse_flags_of_others(click.get_current_context())
    if key is not None and experiment is not None:
        raise WrongUseError("--run, --experiment: given both, allowed one of them")
    selection = Selection(key, experiment)
    with interruptible():
        try:
            with contextlib.closing(_source(flags)) as source:
                _Watch(source, selection).perform(_view(source.where, as_json=as_json, once=once), once=once)
        except Interruption:
            pass
    return 0


def _source(flags: dict[str, Any]) -> _Source:
    if flags["platform"] == KUBERNETES:
        from racelab_operator.watch_cluster import ClusterRuns  # noqa: PLC0415  `--help` should not wait

        return ClusterRuns(flags["namespace"], flags["context"])
    home: Path = flags["home"]
    return LabRuns(home)


class _View:
    """Prints each change as a line; what is wrong goes to standard error."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._changes = Changes()
        self._told: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, watched: Watched, notes: Sequence[str]) -> None:
        """Tell what is new."""
        del notes
        if self._told is not None:
            click.echo("racelab: it answers again", err=True)
            self._told = None
        for one in self._changes.of(watched):
            self._print(one)

    def lose(self, watched: Watched, trouble: str) -> None:
        """Tell, once, that nothing can be seen for now."""
        del watched
        if trouble != self._told:
            click.echo(f"racelab: {trouble}", err=True)
            self._told = trouble

    def _print(self, one: Seen) -> None:
        now = datetime.now().astimezone()
        if self._as_json:
            click.echo(json.dumps({"at": now.isoformat(timespec="milliseconds")} | value_of(one), ensure_ascii=False))
        else:
            click.echo(f"{now:%H:%M:%S} {line_of(one)}")
        sys.stdout.flush()


class _Table(_View):
    """Prints one table, whole and plain."""

    def __init__(self, where: str, to: Console) -> None:
        super().__init__()
        self._where = where
        self._to = to

    def show(self, watched: Watched, notes: Sequence[str]) -> None:
        """Print what there is."""
        table = table_of(self._where, watched, notes, whole=True)
        with self._to.capture() as captured:
            self._to.print(InAscii(table) if draws_ascii(self._to) else table, soft_wrap=False)
        for line in captured.get().splitlines():
            click.echo(line.rstrip(), file=self._to.file)


class _Page(_View):
    """Shows a table on a page of its own, and leaves the last one behind."""

    def __init__(self, where: str, to: Console) -> None:
        super().__init__()
        self._where = where
        self._to = to
        self._screen = Screen(to, own=True)
        self._last: tuple[Watched, Sequence[str]] | None = None
        self._lost_at: str | None = None

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # the terminal was closed
            self._screen.__exit__(kind, error, trace)
            if self._last is not None:
                _Table(self._where, self._to).show(*self._last)

    def show(self, watched: Watched, notes: Sequence[str]) -> None:
        """Draw what there is now."""
        self._lost_at = None
        self._last = (watched, ())
        self._screen.show(table_of(self._where, watched, notes))

    def lose(self, watched: Watched, trouble: str) -> None:
        """Draw what was seen last, and since when nothing is seen."""
        self._lost_at = self._lost_at or f"{datetime.now().astimezone():%H:%M:%S}"
        self._screen.show(table_of(self._where, watched, [f"nothing new since {self._lost_at}: {trouble}"]))


def _view(where: str, *, as_json: bool, once: bool) -> _View:
    to = console(sys.stdout)
    if as_json:
        return _View(as_json=True)
    if once:
        return _Table(where, to)
    return _Page(where, to) if can_move(to) else _View()


class _Watch:
    """Looks once a second, as long as there is something to see."""

    def __init__(self, source: _Source, selection: Selection) -> None:
        self._source = source
        self._selection = selection
        self._watched = Watched(selection)
        self._begun = False

    def perform(self, view: _View, *, once: bool) -> None:
        """Look and show, again and again, or once.

        Raises:
            RacelabError: there is nothing to look at, or not any more.

        """
        if once:
            self._look(everything=True)
            view.show(self._watched, self._source.notes())
            return
        with view:
            while True:
                if self._turn(view):
                    return
                time.sleep(LOOK_SECONDS)

    def _turn(self, view: _View) -> bool:
        """Look and show; True when there is nothing more to see."""
        try:
            self._look()
        except (EndedError, WrongUseError):
            raise
        except StartingError as error:
            view.lose(self._watched, str(error))
            return False
        except RacelabError as error:
            if not self._begun:
                raise
            view.lose(self._watched, self._source.lost(error))
            return False
        self._begun = True
        view.show(self._watched, self._source.notes())
        return self._selection.run is not None and all(one.final for one in self._watched.seen.values())

    def _look(self, *, everything: bool = False) -> None:
        runs = self._listed()
        while True:
            keys = self._watched.look(runs, self._source.verdicts())
            for key in keys:
                if (audit := self._source.audit(key)) is not None:
                    self._watched.audited(key, audit)
            if not everything or self._watched.all_asked:
                return

    def _listed(self) -> list[Run]:
        """List the runs; one that was asked for by its name is found also when it is not among the newest."""
        runs = self._source.runs()
        key, experiment = self._selection.run, self._selection.experiment
        if key is not None and not self._selection.of(runs):
            run = self._source.run(key)
            if run is None:
                raise WrongUseError(unknown_run("--run", key, self._source))
            return [run]
        if experiment is not None and not self._begun and not self._selection.of(runs):
            raise WrongUseError(unknown_experiment(experiment, runs))
        return runs
