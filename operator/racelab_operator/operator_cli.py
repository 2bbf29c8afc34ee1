"""The command line `racelab-operator`: the program for clusters, which this version does not have yet."""

from __future__ import annotations

import click

from racelab_operator.version import __version__

_WRONG_USE = 2


@click.command()
@click.version_option(__version__, prog_name="racelab-operator", message="%(prog)s %(version)s")
def operator() -> int:
    """Perform RaceExperiments on a Kubernetes cluster. Not in this version: use `racelab run FILE` on one machine."""
    message = f"racelab-operator: version {__version__} has no Kubernetes operator: use `racelab run FILE` instead"
    click.echo(message, err=True)
    return _WRONG_USE


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    try:
        result = operator.main(args=argv, prog_name="racelab-operator", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return result if isinstance(result, int) else 0
