"""`racelab crd`: the CustomResourceDefinition of this version."""

from __future__ import annotations

import json

import click

from racelab_operator.cli_options import examples
from racelab_operator.crd import crd as custom_resource_definition
from racelab_operator.crd import crd_text


@click.command(epilog=examples("racelab crd | kubectl apply --server-side -f -", "racelab crd -o json"))
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True, help="How it is written."
)
def crd(output: str) -> None:
    """Print the CustomResourceDefinition of RaceExperiment, for a cluster."""
    if output == "json":
        click.echo(json.dumps(custom_resource_definition(), indent=2, ensure_ascii=False))
    else:
        click.echo(crd_text(), nl=False)
