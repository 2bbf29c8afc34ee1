"""`racelab status` and `down`: finding a lab that runs, and ending it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from racelab_operator.auditor import Auditor, AuditorError
from racelab_operator.cli_options import examples, home_option
from racelab_operator.keeping import address_lines
from racelab_operator.platforms.local.state import current_lab, stop_lab

if TYPE_CHECKING:
    from pathlib import Path

    from racelab_operator.platforms.local.addresses import Addresses
    from racelab_operator.platforms.local.state import LabRecord

_SHOWN_RUNS = 10


@click.command(epilog=examples("racelab down", "racelab down --home /tmp/lab"))
@click.option("--quiet", is_flag=True, help="Say nothing.")
@home_option
def down(home: Path, *, quiet: bool) -> None:
    """End the lab of this home, and sweep up after one that was killed."""
    stopped = stop_lab(home.absolute())
    if not quiet:
        click.echo("the lab has ended" if stopped else f"no lab is running in {home}")


@click.command(epilog=examples("racelab status", "racelab status --json | jq -r .https_url"))
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@home_option
def status(home: Path, *, as_json: bool) -> int:
    """Say whether a lab is running, where, and with which runs.

    Exit codes: 0 a lab is running, 3 none is.
    """
    record = current_lab(home.absolute())
    if as_json:
        click.echo(json.dumps(_status_value(record), indent=2))
    elif record is None:
        click.echo(f"no lab is running in {home}: start one with `racelab up`")
    else:
        for line in _status_lines(record):
            click.echo(line)
    return 3 if record is None else 0


def _status_value(record: LabRecord | None) -> dict[str, Any]:
    """Give everything but secrets: no token, and no database URL, which may hold a password."""
    if record is None:
        return {"running": False}
    value: dict[str, Any] = {
        "running": True,
        "ready": record.addresses is not None,
        "pid": record.pid,
        "purpose": record.purpose,
        "since_seconds": record.since_seconds,
    }
    if (addresses := record.addresses) is not None:
        for name in ("http_url", "https_url", "auditor_url"):
            value[name] = getattr(addresses, name)
        value |= {"ca_file": str(addresses.ca_file), "replicas": list(addresses.replicas), "runs": _runs(addresses)}
    return value


def _status_lines(record: LabRecord) -> list[str]:
    since = datetime.fromtimestamp(record.since_seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    lines = [f"{record.purpose}, process {record.pid}, since {since}"]
    if record.addresses is None:
        return [*lines, "it is still starting"]
    lines += [*address_lines(record.addresses), "", f"replicas {' '.join(record.addresses.replicas)}"]
    runs = _runs(record.addresses)
    if runs is None:
        return [*lines, "runs     the auditor does not answer"]
    return [*lines, *(f"run      {run}" for run in runs[:_SHOWN_RUNS])]


def _runs(addresses: Addresses) -> list[str] | None:
    try:
        with Auditor(addresses.auditor_url, addresses.token) as auditor:
            return [run.key for run in auditor.runs()]
    except AuditorError:
        return None
