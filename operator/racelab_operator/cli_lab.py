"""`racelab up`, `down`, `status` and `drift`: a lab that stays, and looking at it."""

from __future__ import annotations

import difflib
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from racelab_operator.auditor import Auditor, AuditorError
from racelab_operator.cli_options import examples, home_option, lab_options
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.interruption import Interruption, interruptible
from racelab_operator.keeping import address_lines, closing_surely, stay_up
from racelab_operator.money import cents_as_text
from racelab_operator.platforms.local.lab import LocalLab
from racelab_operator.platforms.local.state import current_lab, stop_lab
from racelab_operator.report.table import console

if TYPE_CHECKING:
    from pathlib import Path

    from racelab_operator.observed import Audit
    from racelab_operator.platforms.local.addresses import Addresses
    from racelab_operator.platforms.local.state import LabRecord

PLAYGROUND = "playground"
_SHOWN_RUNS = 10


@click.command(
    epilog=examples(
        "racelab up",
        "racelab up --replicas 5 --workers 2 --https-port 8443",
        "DATABASE_URL=postgresql://me@db.example/lab racelab up",
    )
)
@click.option("--replicas", type=click.IntRange(1, 32), default=3, show_default=True, help="Replicas of the bank.")
@lab_options
def up(replicas: int, **lab_flags: Any) -> int:
    """Keep the bank up, and print where it is.

    It runs until Ctrl-C, SIGTERM or `racelab down`, and takes everything it started with it. Its account 1 belongs to
    the run `playground`, for trying things out by hand.
    """
    out, err = console(sys.stdout), console(sys.stderr)
    lab_flags["home"] = lab_flags["home"].absolute()
    with interruptible():
        lab = LocalLab(**lab_flags, purpose="racelab up")
        with closing_surely(lab):
            try:
                addresses = lab.start(replicas, progress=err.print if err.is_terminal else None)
            except Interruption:
                return 0
            for line in address_lines(addresses):
                out.print(line)
            out.print("Ctrl-C ends it.")
            sys.stdout.flush()
            stay_up(lab, err)
    return 0


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


@click.command(epilog=examples("racelab drift", "racelab drift --run quickstart-k3x9a-4 --json"))
@click.option(
    "--run", "key", default=PLAYGROUND, show_default=True, metavar="NAME", help="`racelab status` lists them."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, amounts in cents.")
@home_option
def drift(home: Path, key: str, *, as_json: bool) -> None:
    """Compare the balances of a run with its ledger.

    What the accounts hold must be what they opened with plus every entry; the difference is the drift.
    """
    record = current_lab(home.absolute())
    if record is None or record.addresses is None:
        raise RacelabError(f"no lab is running in {home}: start one with `racelab up`, or `racelab run --keep`")
    with Auditor(record.addresses.auditor_url, record.addresses.token) as auditor:
        audit = auditor.audit(key)
        if audit is None:
            raise WrongUseError(_no_run(key, [run.key for run in auditor.runs()]))
    if as_json:
        fields = ("run", "final", "opening_cents", "ledger_total_cents", "balance_cents", "drift_cents",
                  "absolute_drift_cents", "entries", "lost")  # fmt: skip
        click.echo(json.dumps({name: getattr(audit, name) for name in fields}, indent=2))
        return
    for line in _drift_lines(audit):
        click.echo(line)


def _no_run(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known[:_SHOWN_RUNS]) or 'none'}"
    return f"--run: there is no run {key}: {hint}"


def _drift_lines(audit: Audit) -> list[str]:
    amounts = {
        "opening": audit.opening_cents,
        "ledger total": audit.ledger_total_cents,
        "balance": audit.balance_cents,
        "drift": audit.drift_cents,
    }
    texts = {name: cents_as_text(cents) for name, cents in amounts.items()} | {
        "lost": f"{audit.lost} of {audit.entries}"
    }
    width = max(map(len, texts.values()))
    return [f"run           {audit.run}", *(f"{name:<13} {text:>{width}}" for name, text in texts.items())]
