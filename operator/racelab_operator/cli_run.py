"""`racelab run` and `racelab validate`: experiment files in, verdicts out."""

from __future__ import annotations

import secrets
import string
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from racelab_operator.auditor import Auditor
from racelab_operator.cli_options import examples, lab_options
from racelab_operator.cli_platform import KUBERNETES, platform_options, refuse_flags_of_others
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.interruption import Interruption, interruptible
from racelab_operator.keeping import address_lines, closing_surely, page_link, stay_up
from racelab_operator.outputs import STDOUT, check_outputs, write_output
from racelab_operator.platforms.local.database import server_version
from racelab_operator.platforms.local.lab import LocalLab
from racelab_operator.platforms.local.platform import ESSENTIAL, LocalPlatform
from racelab_operator.reconcile import interrupted
from racelab_operator.report.build import build_report, repeatable
from racelab_operator.report.explaining import Explaining
from racelab_operator.report.json import reports_as_json
from racelab_operator.report.progress import Silence, progress_on
from racelab_operator.report.table import console, print_report
from racelab_operator.run import Performance, run_experiment
from racelab_operator.spec import read_experiments
from racelab_operator.status import Status
from racelab_operator.steps import Experiment, expand, run_key
from racelab_operator.verdict import exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from racelab_operator.report.model import ExperimentReport
    from racelab_operator.spec import RaceExperiment

_UID_ALPHABET = string.ascii_lowercase + string.digits

_files = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")


@click.command(
    epilog=examples(
        "racelab run k8s/experiments/quickstart.yaml",
        "racelab run --json report.json mine.yaml others.yaml",
        "racelab run --html report.html mine.yaml",
        "racelab run --json - --quiet mine.yaml | jq .verdict",
        "racelab run --keep mine.yaml       then, elsewhere: racelab status; racelab drift --run KEY",
        "racelab run --platform kubernetes --namespace lab mine.yaml",
    )
)
@_files
@click.option("--json", "json_out", metavar="OUT", help="Write the report to this file as JSON; - is standard output.")
@click.option("--html", "html_out", metavar="OUT", help="Write it as one page that shows everything, likewise.")
@click.option("--keep", is_flag=True, help="Keep the lab up afterwards, until Ctrl-C or `racelab down`.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors: the exit code and the files tell the rest.")
@platform_options
@lab_options
def run(
    files: tuple[Path, ...], json_out: str | None, html_out: str | None, *, keep: bool, quiet: bool, **flags: Any
) -> int:
    """Perform experiments, on this machine or on a cluster, and judge each step.

    On this machine a lab is started for it: PostgreSQL, an HTTP/2 edge, the auditor and as many replicas of the bank
    as the steps ask for. It ends with the command, also on Ctrl-C; a second Ctrl-C ends it at once.

    On a cluster the chart's operator performs them: they are made as objects, all at once, and followed. One of the
    same name that has ended is deleted first. Ctrl-C asks whether to abort them; without a terminal they are aborted.

    Exit codes: 0 all steps Confirmed; 1 one Refuted, or NotReproduced; 2 a wrong file or flag, nothing was started;
    3 a step is Unknown, or the lab could not do its work.
    """
    refuse_flags_of_others(click.get_current_context())
    platform, namespace, context = (flags.pop(name) for name in ("platform", "namespace", "context"))
    races = read_experiments(files)
    experiments = [] if platform == KUBERNETES else _experiments(races)
    outputs = {"--json": json_out, "--html": html_out}
    check_outputs(outputs)
    wanted = any(out is not None for out in outputs.values())
    out = console(sys.stderr if STDOUT in outputs.values() else sys.stdout)
    err = console(sys.stderr)
    if platform == KUBERNETES:
        from racelab_operator.cli_cluster_run import Wanted, run_on_cluster  # noqa: PLC0415  `--help` should not wait

        reports, code = run_on_cluster(races, Wanted(namespace, context, quiet, wanted), out, err)
        _write(reports, json_out, html_out)
        return code
    with interruptible():
        lab = LocalLab(**_lab_arguments(flags), purpose=f"racelab run {' '.join(map(str, files))}")
        with closing_surely(lab):
            session = _Session(lab, experiments, out, err, quiet=quiet, explaining=wanted)
            performances = session.perform()
            reports = [performance.report for performance in performances]
            if wanted:
                workers = [] if flags["workers"] == 1 else ["--workers", str(flags["workers"])]
                reports = session.repeatable(reports, races, workers)
                _write(reports, json_out, html_out)
            if keep and not any(performance.interrupted for performance in performances):
                session.keep()
    return exit_code(step.verdict for report in reports for step in report.steps)


@click.command(epilog=examples("racelab validate k8s/experiments/*.yaml"))
@_files
def validate(files: tuple[Path, ...]) -> None:
    """Check experiment files without running them.

    Every problem is printed in one line: FILE:LINE: FIELD: what was given, what is allowed.
    """
    for race in read_experiments(files):
        steps = expand(race, "check").steps
        click.echo(f"{race.metadata.name}: {len(steps)} step{'s' * (len(steps) > 1)}")


def _experiments(races: Sequence[RaceExperiment]) -> list[Experiment]:
    """Expand the files; each performance gets a uid of its own, so its runs are told apart from earlier ones."""
    for race in races:
        if race.spec.suspend:
            name = race.metadata.name
            raise WrongUseError(
                f"{name}: spec.suspend is true: only a cluster can resume it, set it to false to run here"
            )
    return [expand(race, "".join(secrets.choice(_UID_ALPHABET) for _ in range(5))) for race in races]


def _write(reports: Sequence[ExperimentReport], json_out: str | None, html_out: str | None) -> None:
    if json_out is not None:
        write_output("--json", json_out, reports_as_json(reports))
    if html_out is not None:
        from racelab_operator.report.html import reports_as_html  # noqa: PLC0415  `--help` should not wait

        write_output("--html", html_out, reports_as_html(reports))


def _lab_arguments(flags: dict[str, Any]) -> dict[str, Any]:
    return {**flags, "home": Path(flags["home"]).absolute()}


@dataclass(frozen=True, slots=True)
class _Session:
    """One lab, and the experiments that are performed on it one after the other.

    `explaining`: whether a report is kept, so that it is worth its cost to ask who was lost, and to whom.
    """

    lab: LocalLab
    experiments: Sequence[Experiment]
    out: Console
    err: Console
    quiet: bool
    explaining: bool

    def perform(self) -> list[Performance]:
        """Start the lab and perform every experiment; after an interruption the rest is Unknown."""
        self._start()
        addresses = self.lab.addresses
        done: list[Performance] = []
        with Auditor(addresses.auditor_url, addresses.token) as auditor:
            explaining = Explaining(auditor)
            for experiment in self.experiments:
                if done and done[-1].interrupted:
                    done.append(_not_begun(experiment))
                else:
                    done.append(self._perform(experiment, LocalPlatform(self.lab, auditor, live=self._watched)))
                if not self.quiet:
                    print_report(done[-1].report, self.out)
                if self.explaining:
                    report = explaining.add(done[-1].report)
                    done[-1] = replace(
                        done[-1], report=report, interrupted=done[-1].interrupted or explaining.interrupted
                    )
        return done

    def repeatable(
        self, reports: Sequence[ExperimentReport], races: Sequence[RaceExperiment], flags: Sequence[str]
    ) -> list[ExperimentReport]:
        """Add what somebody needs who wants to perform them again."""
        postgresql = server_version(self.lab.addresses.database_url)
        versions = {} if postgresql is None else {"postgresql": postgresql}
        return [repeatable(report, race, flags, versions) for report, race in zip(reports, races, strict=True)]

    @property
    def _watched(self) -> bool:
        return self.err.is_terminal and not self.quiet

    def _start(self) -> None:
        first, *_ = self.experiments[0].steps
        most = max(step.replicas for experiment in self.experiments for step in experiment.steps)

        def tell(message: str) -> None:
            if self._watched:
                self.err.print(message)

        try:
            self.lab.start(first.replicas, most, tell)
        except Interruption:
            raise RacelabError("interrupted while the lab was starting: nothing was run") from None
        if not self.quiet:
            self.err.print(f"live page: {page_link(self.lab.addresses)}")

    def _perform(self, experiment: Experiment, platform: LocalPlatform) -> Performance:
        with Silence() if self.quiet else progress_on(self.err) as progress:
            return run_experiment(experiment, platform, progress)

    def keep(self) -> None:
        """Leave the lab up to be looked at."""
        if ESSENTIAL & self.lab.failed_processes().keys():
            return
        for line in address_lines(self.lab.addresses):
            self.err.print(line)
        self.err.print("The runs, to be looked at from another terminal until Ctrl-C here:")
        for experiment in self.experiments:
            for step in experiment.steps:
                self.err.print(f"  racelab drift --run {run_key(experiment, step)}   {step.name}")
        stay_up(self.lab, self.err)


def _not_begun(experiment: Experiment) -> Performance:
    status = interrupted(experiment, Status(), "interrupted", time.time())
    return Performance(build_report(experiment, status), status, interrupted=True)
