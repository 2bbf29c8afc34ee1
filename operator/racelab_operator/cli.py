"""The command line `racelab`."""

from __future__ import annotations

import os
import sys

import click

from racelab_operator.cli_codes import codes
from racelab_operator.cli_crd import crd
from racelab_operator.cli_drift import drift
from racelab_operator.cli_explain import explain
from racelab_operator.cli_files import completion, init, report
from racelab_operator.cli_lab import down, status
from racelab_operator.cli_options import examples
from racelab_operator.cli_run import run, validate
from racelab_operator.cli_threads import threads
from racelab_operator.cli_up import up
from racelab_operator.cli_verify import export, verify
from racelab_operator.cli_watch import watch
from racelab_operator.errors import InvalidFilesError, RacelabError
from racelab_operator.interruption import Interruption
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.report.ascii import write_what_can_be
from racelab_operator.version import __version__

_FAILED = 3


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "racelab init mine.yaml          write an example experiment",
        "racelab run mine.yaml           perform it, and judge what each strategy claims",
        "racelab up                      keep a bank up for trying things out by hand",
    ),
)
@click.version_option(__version__, prog_name="racelab", message="%(prog)s %(version)s")
def cli() -> None:
    """Perform races on a bank, and prove what became of the money.

    One experiment file says which strategies race, on how many replicas, under which load. Every step ends with a
    verdict: whether the ledger shows what the strategy claims.
    """


for _command in (
    run, validate, init, report, up, down, status, watch, drift, explain, codes, threads, export, verify, crd,
    completion,
):  # fmt: skip
    cli.add_command(_command)


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code; every error of the user's is told in a line, without a traceback."""
    write_what_can_be((sys.stdout, sys.stderr))
    try:
        result = cli.main(args=argv, prog_name="racelab", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except InvalidFilesError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except (RacelabError, LabError) as error:
        click.echo(f"racelab: {error}", err=True)
        return error.exit_code
    except (Interruption, KeyboardInterrupt, click.Abort):
        click.echo("racelab: interrupted", err=True)
        return _FAILED
    except BrokenPipeError:
        # Whoever read our output is gone: let Python's own flush at exit fail silently.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    return result if isinstance(result, int) else 0
