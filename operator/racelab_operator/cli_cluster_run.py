"""`racelab run --platform kubernetes`: a cluster performs the experiments, and they are followed from here."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from racelab_operator.asking import confirmed
from racelab_operator.auditor import AuditorError
from racelab_operator.cli_platform import KUBERNETES
from racelab_operator.errors import RacelabError
from racelab_operator.interruption import Interruption, interruptible
from racelab_operator.observed import Observed
from racelab_operator.platforms.kubernetes.access import access
from racelab_operator.platforms.kubernetes.auditor_forward import ReachedAuditor, auditor_of
from racelab_operator.platforms.kubernetes.cluster import Cluster
from racelab_operator.platforms.kubernetes.errors import ChangedError, ClusterRefusedError, ClusterUnreachableError
from racelab_operator.platforms.kubernetes.following import (
    AUDITED_STAGES,
    NOT_SEEN_YET,
    Race,
    Sight,
    in_their_order,
)
from racelab_operator.platforms.kubernetes.submitting import Place, check, clear, create, namespace_of
from racelab_operator.report.build import repeatable
from racelab_operator.report.explaining import Explaining
from racelab_operator.report.progress import Silence, progress_on
from racelab_operator.report.table import print_report
from racelab_operator.run import Progress
from racelab_operator.steps import expand, run_key
from racelab_operator.verdict import exit_code
from racelab_operator.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from racelab_operator.observed import Audit
    from racelab_operator.platforms.kubernetes.access import Access
    from racelab_operator.report.model import ExperimentReport
    from racelab_operator.spec import RaceExperiment

LOOK_SECONDS: Final = 0.5
OUTAGE_SECONDS: Final = 120
ABORT_SECONDS: Final = 120
PATIENCE_SECONDS: Final = 10
UNFINISHED: Final = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of the cluster; `kept`: whether a report is written, so that asking more is of use."""

    namespace: str | None
    context: str | None
    quiet: bool
    kept: bool


def run_on_cluster(
    races: Sequence[RaceExperiment], wanted: Wanted, out: Console, err: Console
) -> tuple[list[ExperimentReport], int]:
    """Have a cluster perform experiments; give their reports, in the order of the files, and the exit code.

    Raises:
        WrongUseError: a wrong flag or file, or an experiment of that name has not ended: nothing was made.
        RacelabError: the cluster cannot do it, or did not answer for too long.

    """
    way = access(wanted.context)
    place = Place(namespace_of(races, wanted.namespace, way.namespace), wanted.context)
    with contextlib.ExitStack() as stack, interruptible():
        run = _ClusterRun(way, place, stack, out, err, quiet=wanted.quiet)
        try:
            run.submit(races)
            run.follow()
        except Interruption as interruption:
            run.interrupted(interruption)
        except OSError:
            run.abandon()  # nobody reads what is written: the terminal was closed
            raise
        reports = run.reports()
        told = run.told(reports, races) if wanted.kept else reports
    by_name = {report.experiment: report for report in told}
    return [by_name[race.metadata.name] for race in races if race.metadata.name in by_name], run.exit_code(reports)


class _ClusterRun:
    """The experiments of one command, as they are seen in the cluster; by name, in the order they are performed in."""

    def __init__(
        self, way: Access, place: Place, stack: contextlib.ExitStack, out: Console, err: Console, *, quiet: bool
    ) -> None:
        self._access = way
        self._place = place
        self._stack = stack
        self._cluster = Cluster(way.connect(), place.namespace)
        self._out = out
        self._err = err
        self._quiet = quiet
        self._sights: dict[str, Sight] = {}
        self._audits: dict[str, dict[int, Audit]] = {}
        self._shows: dict[str, Silence] = {}
        self._said: set[str] = set()
        self._reports: dict[str, ExperimentReport] = {}
        self._to_abort: set[str] = set()
        self._aborted: set[str] = set()
        self._silent_since: float | None = None
        self._auditor: ReachedAuditor | None = None
        self._ask_auditor_at = 0.0
        self._versions: dict[str, str] | None = None
        self._begun = time.monotonic()

    def _tell(self, message: str) -> None:
        if not self._quiet:
            self._warn(message)

    def _warn(self, message: str) -> None:
        self._err.print(message, markup=False)

    def submit(self, races: Sequence[RaceExperiment]) -> None:
        """Make the experiments, all at once: the operator performs them one after the other."""
        clear(self._cluster, check(self._cluster, races, self._place), self._tell)
        made: list[Race] = []
        try:
            for race in races:
                create(self._cluster, race, made.append)
        except RacelabError as error:
            if not made:
                raise
            names = ", ".join(found["metadata"]["name"] for found in made)
            advice = f"made before and still in the cluster: {names}: `{self._place.kubectl('get races')}`"
            raise RacelabError(f"{error}; {advice}") from None
        finally:
            files = {race.metadata.name: race for race in races}
            for found in in_their_order(made):
                name = found["metadata"]["name"]
                self._sights[name] = Sight(expand(files[name], found["metadata"]["uid"]))
                self._audits[name] = {}
        self._begun = time.monotonic()

    def follow(self, until: float | None = None) -> None:
        """Show each experiment until it ends, and print its table; `until`: on the monotonic clock.

        Raises:
            RacelabError: the API server has not answered for too long.

        """
        for name in [name for name in self._sights if name not in self._reports]:
            with self._show(name) as show:
                while True:
                    self._look()
                    show(self._moment(name))
                    if self._sights[name].ended:
                        break
                    self._tell_waiting(name)
                    if until is not None and time.monotonic() > until:
                        return
                    time.sleep(LOOK_SECONDS)
            self._print(name)

    def _show(self, name: str) -> Silence:
        if name not in self._shows:
            self._shows[name] = Silence() if self._quiet else progress_on(self._err)
        return self._shows[name]

    def _look(self) -> None:
        """Look at every experiment that has not ended."""
        try:
            for name in sorted(self._to_abort):
                self._abort(name)
            for name, sight in self._sights.items():
                if sight.ended is None:
                    self._sights[name] = sight.next(self._cluster.race(name))
                    self._tell_gone(name)
        except ClusterUnreachableError as error:
            self._not_answered(error)
            return
        if self._silent_since is not None:
            self._silent_since = None
            self._tell("the API server answers again")

    def _not_answered(self, error: ClusterUnreachableError) -> None:
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
            self._tell(f"{error}: asking on for {OUTAGE_SECONDS // 60} minutes")
        if now > self._silent_since + OUTAGE_SECONDS:
            names = " ".join(self._unended())
            look = self._place.kubectl(f"get race {names}")
            raise RacelabError(f"{error}: the experiment goes on in the cluster, look at it later: `{look}`")

    def _abort(self, name: str) -> None:
        patch = {"metadata": {"uid": self._sights[name].experiment.uid}, "spec": {"abort": True}}
        with contextlib.suppress(ChangedError):  # another one has its name: the next look shows it
            self._cluster.patch_race(name, patch)
        self._to_abort.discard(name)
        self._aborted.add(name)

    def _tell_gone(self, name: str) -> None:
        if self._sights[name].ended == "gone":
            self._warn(f"{name}: was deleted before it ended")

    def _moment(self, name: str) -> Progress:
        """Give what the progress bars take."""
        sight = self._sights[name]
        self._fetch_audits(name)
        status = sight.status(self._audits[name])
        live = None
        if self._watched and sight.ended is None and sight.waiting is None and status.stage in AUDITED_STAGES:
            live = self._audit(run_key(sight.experiment, sight.experiment.steps[status.step]))
        return Progress(sight.experiment, status, Observed(at=time.time(), step=status.step, audit=live))

    @property
    def _watched(self) -> bool:
        return self._err.is_terminal and not self._quiet

    def _fetch_audits(self, name: str) -> None:
        """Get the audits of the steps that have ended with one."""
        for step in self._sights[name].race.steps:
            if step.operations is not None and step.index not in self._audits[name]:
                audit = self._audit(step.run)
                if audit is not None and audit.final:
                    self._audits[name][step.index] = audit

    def _audit(self, key: str) -> Audit | None:
        auditor = self._auditor or self._reach_auditor()
        if auditor is None:
            return None
        try:
            audit = auditor.client.audit(key)
        except AuditorError as error:
            self._say_once("auditor", f"no figures from the auditor for now: {error}")
            return None
        self._said.discard("auditor")
        return audit

    def _reach_auditor(self) -> ReachedAuditor | None:
        """Open a way to the auditor; without it there is less to show, and nothing to fail for."""
        if time.monotonic() < self._ask_auditor_at:
            return None
        self._ask_auditor_at = time.monotonic() + PATIENCE_SECONDS
        try:
            self._auditor = self._stack.enter_context(auditor_of(self._access, self._place.namespace))
        except ClusterRefusedError as error:
            self._ask_auditor_at = math.inf
            self._say_once("auditor", f"only what the status says is shown: {error}")
        except RacelabError as error:
            self._say_once("auditor", f"no figures from the auditor for now: {error}")
        return self._auditor

    def _say_once(self, about: str, message: str) -> None:
        if about not in self._said:
            self._said.add(about)
            self._tell(message)

    def _tell_waiting(self, name: str) -> None:
        """Say what it waits for; bars show it as well, all but how to look after a missing operator."""
        waiting = self._sights[name].waiting
        if waiting == NOT_SEEN_YET:
            if time.monotonic() > self._begun + PATIENCE_SECONDS:
                look = self._place.kubectl("get pods -l app.kubernetes.io/component=operator")
                self._say_once(name, f"{name}: nothing has happened yet: is the operator ready? `{look}`")
        elif waiting is not None and not self._err.is_terminal:
            self._say_once(f"{name} {waiting}", f"{name}: {waiting}")

    def interrupted(self, interruption: Interruption) -> None:
        """Abort what has not ended, or leave it as it is; on a terminal the user is asked."""
        if not self._sights:
            self._warn("interrupted: no experiment was made")
        if not self._unended():
            return
        if not self._may_ask(interruption) or self._confirmed():
            names = ", ".join(self._unended())
            with contextlib.suppress(Interruption), interruptible():
                self.abandon()
                self._tell(f"aborting {names}")
                self.follow(until=time.monotonic() + ABORT_SECONDS)
        for name in self._unended():
            abort = self._place.kubectl(f'patch race {name} --type merge -p \'{{"spec":{{"abort":true}}}}\'')
            self._warn(f"{name} has not ended and stays in the cluster:")
            self._warn(f"  look at it:  {self._place.kubectl(f'get race {name}')}")
            if name not in self._aborted:
                self._warn(f"  abort it:    {abort}")

    def abandon(self) -> None:
        """Abort what has not ended, without a word; what the API server does not hear is said again in later looks."""
        self._to_abort = set(self._unended())
        self._look()

    def _may_ask(self, interruption: Interruption) -> bool:
        return str(interruption) == "SIGINT" and sys.stdin.isatty() and self._err.is_terminal

    def _confirmed(self) -> bool:
        count = len(self._unended())
        what = "the experiment" if count == 1 else f"the {count} experiments that have not ended"
        return confirmed(f"abort {what}?")

    def _unended(self) -> list[str]:
        return [name for name, sight in self._sights.items() if sight.ended is None]

    def _report(self, name: str) -> ExperimentReport:
        sight = self._sights[name]
        self._fetch_audits(name)
        missing = "it was deleted" if sight.ended == "gone" else "it had not ended when this was written"
        if sight.ended == "finished":
            missing = sight.race.message or "it ended before"
        if self._versions is None:
            self._versions = self._ask_versions()
        return sight.report(self._audits[name], self._versions, missing, time.time())

    def _ask_versions(self) -> dict[str, str]:
        told = {"racelab": (self._auditor and self._auditor.version) or __version__}
        kubernetes = self._access.version()
        return told if kubernetes is None else told | {"kubernetes": kubernetes}

    def _print(self, name: str) -> None:
        self._reports[name] = self._report(name)
        if not self._quiet:
            print_report(self._reports[name], self._out)

    def reports(self) -> list[ExperimentReport]:
        """Report every experiment that was made."""
        return [self._reports.get(name) or self._report(name) for name in self._sights]

    def told(self, reports: Sequence[ExperimentReport], races: Sequence[RaceExperiment]) -> list[ExperimentReport]:
        """Add who was lost, and to whom, and what somebody needs who wants to perform them again."""
        auditor = self._auditor or self._reach_auditor()
        client = None if auditor is None else auditor.client
        explaining = Explaining(client, "the cluster's auditor could not be reached from here")
        files = {race.metadata.name: race for race in races}
        flags = ["--platform", KUBERNETES, "--namespace", self._place.namespace]
        return [explaining.add(repeatable(report, files[report.experiment], flags, {})) for report in reports]

    def exit_code(self, reports: Sequence[ExperimentReport]) -> int:
        """Give the code of the verdicts; 3 where one has not ended, or was deleted."""
        if not reports or any(sight.ended != "finished" for sight in self._sights.values()):
            return UNFINISHED
        return exit_code(step.verdict for report in reports for step in report.steps)
