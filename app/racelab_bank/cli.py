"""`racelab-bank`: serve a replica, serve the auditor, print the catalog."""

import json
import os
from importlib.metadata import version

import click

from racelab_bank.isolation.cli import isolation
from racelab_bank.verifying.cli import verify

# Nothing of Django is imported here: `serve` must first set the environment that settings and metrics read.


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("racelab"), prog_name="racelab-bank")
def cli() -> None:
    """Serve the bank and its auditor: one Django project, two URLconfs.

    \b
    Examples:
      DATABASE_URL=postgresql:///racelab racelab-bank serve --bind 127.0.0.1:8000 --metrics-bind 127.0.0.1:9100
      DATABASE_URL=postgresql:///racelab RACELAB_TOKEN=secret racelab-bank audit --bind 127.0.0.1:9000
      racelab-bank verify history.jsonl
      racelab-bank isolation --database-url postgresql:///mine
      racelab-bank catalog
    """  # noqa: D301 - \b is click's


@cli.command()
@click.option("--bind", required=True, help="Where to serve: HOST:PORT or unix:PATH.")
@click.option("--metrics-bind", required=True, help="Where /readyz and /metrics are served: HOST:PORT.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Sync workers (processes).")
@click.option("--replica", help="This replica's name, answered as Racelab-Replica. [default: the host's name]")
@click.option(
    "--timeout-seconds",
    default=30,
    show_default=True,
    type=click.IntRange(1, 3600),
    help="A worker that answers nothing for so long is killed.",
)
def serve(bind: str, metrics_bind: str, workers: int, replica: str | None, timeout_seconds: int) -> None:
    """Serve one replica of the bank until SIGTERM."""
    os.environ["RACELAB_ROLE"] = "bank"
    if replica:
        os.environ["RACELAB_REPLICA"] = replica
    from racelab_bank.serving.bank import serve_bank  # noqa: PLC0415 - after the environment is set

    serve_bank(bind, metrics_bind, workers, timeout_seconds)


@cli.command()
@click.option("--bind", required=True, help="Where to serve: HOST:PORT.")
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64), help="Threads of its one process.")
def audit(bind: str, threads: int) -> None:
    """Serve the auditor until SIGTERM: migrates the database, then answers the control API."""
    os.environ["RACELAB_ROLE"] = "auditor"
    if not os.environ.get("RACELAB_TOKEN"):
        raise click.UsageError("RACELAB_TOKEN: given nothing, allowed the token that callers of /api/ must show")
    from racelab_bank.serving.auditor import serve_auditor  # noqa: PLC0415 - after the environment is set

    serve_auditor(bind, threads)


@cli.command()
def catalog() -> None:
    """Print what others must know about scenarios and strategies, as JSON."""
    from racelab_bank.catalog import catalog as bank_catalog  # noqa: PLC0415 - `--help` should not wait for it

    click.echo(json.dumps(bank_catalog(), indent=2, ensure_ascii=False))


cli.add_command(verify)
cli.add_command(isolation)


def main(argv: list[str] | None = None, *, command: click.Command = cli, name: str = "racelab-bank") -> int:
    """Run the command line, or one command of it under a name of its own; return its exit code."""
    try:
        result = command.main(argv, prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return result if isinstance(result, int) else 0
