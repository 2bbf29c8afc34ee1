"""The command line `racelab-operator`: the program for clusters."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

import click

from racelab_operator.cli_options import examples
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.version import __version__

SERVICE_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def _own_namespace() -> str:
    try:
        return SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        raise click.UsageError("--namespace: given nothing, allowed the name of a namespace") from None


namespace_option = click.option(
    "--namespace",
    default=_own_namespace,
    help="The namespace whose experiments are performed. [default: the Pod's own]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="racelab-operator", message="%(prog)s %(version)s")
def operator() -> None:
    """Perform RaceExperiments on a Kubernetes cluster. The chart runs it: helm/racelab."""


@operator.command(epilog=examples("RACELAB_TOKEN=… racelab-operator run --namespace lab --settings operator.yaml"))
@namespace_option
@click.option(
    "--settings",
    required=True,
    type=click.Path(path_type=Path),
    help="The bank's Deployment, the auditor, the edge and the load's Pod template: operator.yaml.",
)
@click.option("--bind", default="0.0.0.0:8080", show_default=True, help="Where /healthz and /metrics are: HOST:PORT.")
def run(namespace: str, settings: Path, bind: str) -> None:
    """Perform the experiments of one namespace until SIGTERM. RACELAB_TOKEN is the auditor's token."""
    token = os.environ.get("RACELAB_TOKEN", "")
    if not token:
        raise WrongUseError("RACELAB_TOKEN: given nothing, allowed the auditor's token")
    from racelab_operator.operating import operate  # noqa: PLC0415  kopf and kubernetes: `--help` should not wait

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("racelab").setLevel(logging.INFO)
    operate(namespace, settings, token, bind)


@operator.command(epilog=examples("racelab-operator release --namespace lab --seconds 30"))
@namespace_option
@click.option(
    "--seconds",
    type=click.IntRange(0, 3600),
    default=30,
    show_default=True,
    help="How long the operator may take to end them.",
)
def release(namespace: str, seconds: int) -> None:
    """End every experiment of a namespace, so that nothing is stuck when the operator goes.

    Unfinished experiments are aborted; what the operator has not ended in time is let go as it is. Exit code 0.
    """
    from racelab_operator.platforms.kubernetes.access import access  # noqa: PLC0415  `--help` should not wait
    from racelab_operator.platforms.kubernetes.cluster import Cluster  # noqa: PLC0415  nor for this
    from racelab_operator.platforms.kubernetes.releasing import release as release_all  # noqa: PLC0415  nor for this

    release_all(Cluster(access(None).connect(), namespace), seconds, click.echo)


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    try:
        operator.main(args=argv, prog_name="racelab-operator", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except RacelabError as error:
        click.echo(f"racelab-operator: {error}", err=True)
        return error.exit_code
    except click.Abort:
        return 130
    return 0
