"""The command line of racelab-load."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import uvloop

from racelab_loadgen.arrivals.registry import all_arrivals, catalog
from racelab_loadgen.errors import LoadError
from racelab_loadgen.fields import METHODS_WITHOUT_BODY, Head
from racelab_loadgen.plan import CHOICES, OTHERS, Plan
from racelab_loadgen.run import Options, Report, Run
from racelab_loadgen.summary import told
from racelab_loadgen.target import Target
from racelab_loadgen.templates import DEFAULT_FORM
from racelab_loadgen.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# They stand in for the accounts of the auditor's run until these are known: enough for every --other.
STAND_INS = (1, 2)

PLACEHOLDER_HELP = """\b
--form and --body are filled in with
  {account}    an account, chosen by --target
  {other}      its second account, chosen by --other
  {owner}      instead of both, for what has no account yet: an owner, 1 to the number of the run's targets;
               without --auditor an --account
  {amount}     --amount-cents
  {operation}  the number of the operation, from 0
  {run}        --run; percent-encoded in a form
"""

RUN_EXAMPLES = """\b
Examples:
  300 requests from 20 clients, against a bank of your own:
    racelab-load run --url https://localhost:8443/bank/deposit/atomic_only/ --ca-file root.crt \\
      --account 1 --requests 300 --concurrency 20
  One coupon, 20 times, in one packet, with the cookies of a session:
    racelab-load run --url https://shop.test/redeem --form 'code=SAVE10&csrfmiddlewaretoken=TOKEN' \\
      --header 'Cookie: sessionid=ID; csrftoken=TOKEN' --header 'Referer: https://shop.test/' --ok 302 \\
      --arrival single-packet --requests 20 --concurrency 20
  JSON, against a server with a certificate of its own making:
    racelab-load run --url https://localhost:8443/api/orders --insecure --body '{"order": {operation}}' \\
      --header 'Content-Type: application/json' --arrival single-packet --requests 20 --concurrency 20
  Transfers between three accounts, each to another one:
    racelab-load run --url https://localhost:8443/transfer --form 'from={account}&to={other}&amount={amount}' \\
      --other random --account 1 --account 2 --account 3 --requests 300 --concurrency 20
  Ten seconds, the summary as JSON, the history kept:
    racelab-load run --url https://localhost:8443/ --duration-seconds 10 --json --history run.ndjson
"""

ANSWER_HELP = """\b
An answer counts as
  ok    2xx, unless it is JSON with an `outcome` other than "applied"
  fail  4xx but 408, and what was never sent
  info  all else, for nobody knows: 3xx, 408, 5xx, a timeout, a broken connection
With --ok, its statuses are ok instead, and every other under 500 but 408 is fail.
"""

PLAN_EXAMPLES = """\b
Examples:
  racelab-load plan --requests 300 --seed 7
  racelab-load plan --requests 300 --seed 7 --concurrency 20 --target batch --account 1 --account 2 --operations
  racelab-load plan --requests 300 --form 'code={account}&item={other}' --other pair --target batch --accounts 6
"""


def _plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option(
                "--form",
                help=f"Form body, with {{account}}, {{amount}} and others (below) filled in. [default: {DEFAULT_FORM}]",
            ),
            click.option(
                "--body",
                metavar="TEMPLATE|@FILE",
                help="Any other body, instead of --form: the same are filled in, all other braces are left alone.",
            ),
            click.option("--requests", type=click.IntRange(1), help="Operations of all generators together."),
            click.option(
                "--concurrency",
                type=click.IntRange(1, 1_000_000),
                default=1,
                show_default=True,
                help="Clients, or size of a batch, of all generators together.",
            ),
            click.option(
                "--target",
                type=click.Choice(CHOICES),
                default="random",
                show_default=True,
                help="Account of an operation: seeded, or one after the other for each batch.",
            ),
            click.option(
                "--other",
                type=click.Choice(OTHERS),
                default="none",
                show_default=True,
                help="Second account of an operation. random: seeded, among the other accounts. pair, swap: accounts "
                "are given in pairs, and it is the second of the pair; with swap a seeded coin decides which is which.",
            ),
            click.option("--amount-cents", type=click.IntRange(1), default=100, show_default=True, help="Amount."),
            click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the plan."),
            click.option("--generator", type=click.IntRange(0), default=0, show_default=True, help="This generator."),
            click.option("--generators", type=click.IntRange(1), default=1, show_default=True, help="Of how many."),
            click.option(
                "--account",
                "accounts",
                type=click.IntRange(1),
                multiple=True,
                help="An account to use, or an owner; repeatable. Default 1, or those of the auditor's run.",
            ),
        )
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="racelab-load")
def cli() -> None:
    """Release HTTP/2 requests at the same moment, and record what became of each."""


@cli.command(epilog=f"{RUN_EXAMPLES}\n{PLACEHOLDER_HELP}\n{ANSWER_HELP}")
@click.option("--url", required=True, help="Where to send: https://, or http:// for HTTP/2 without TLS.")
@click.option("--method", default="POST", show_default=True, help="HTTP method. GET and HEAD send no body by default.")
@click.option(
    "--header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    help="A header of every request, instead of our own of that name; repeatable.",
)
@_plan_options
@click.option("--duration-seconds", type=click.FloatRange(0, min_open=True), help="Send for so long.")
@click.option(
    "--arrival",
    type=click.Choice(list(all_arrivals())),
    default="closed",
    show_default=True,
    help="How operations arrive; `racelab-load catalog` describes them.",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate authority of the target (PEM). Default: the system's.",
)
@click.option("--insecure", is_flag=True, help="Take any certificate of the target.")
@click.option(
    "--ok",
    "accepted",
    metavar="STATUS",
    type=click.IntRange(200, 599),
    multiple=True,
    help="A status that means success, instead of 2xx; repeatable.",
)
@click.option(
    "--timeout-seconds",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="How long an operation may take; then nobody knows what became of it.",
)
@click.option("--auditor", help="URL of the auditor: take accounts and start from there, upload the history there.")
@click.option(
    "--run",
    "run_key",
    help="Key of the auditor's run, also for {run}. The auditor's token comes from RACELAB_TOKEN.",
)
@click.option(
    "--history",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Keep the history (NDJSON) in this file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def run(
    *,
    url: str,
    method: str,
    headers: tuple[str, ...],
    ca_file: Path | None,
    insecure: bool,
    accepted: tuple[int, ...],
    arrival: str,
    timeout_seconds: float,
    duration_seconds: float | None,
    auditor: str | None,
    run_key: str | None,
    history: Path | None,
    as_json: bool,
    **plan: Any,
) -> int:
    """Send operations to a URL.

    Exit codes: 0 done; 2 wrong use; 3 the gate failed, the auditor or the target could not be reached, the run's
    accounts do not fit the flags, or the upload failed. SIGTERM and SIGINT stop sending, wait up to 5 s for answers,
    upload, and exit 0.
    """
    if (plan["requests"] is None) == (duration_seconds is None):
        raise click.UsageError("give either --requests or --duration-seconds")
    if (auditor is None) != (run_key is None):
        raise click.UsageError("--auditor and --run belong together")
    if auditor is not None and plan["accounts"]:
        raise click.UsageError("--account is for runs without --auditor: with one, the accounts come from its run")
    if auditor is not None:
        plan["accounts"] = STAND_INS
    if insecure and ca_file is not None:
        raise click.UsageError("give either --ca-file or --insecure, which verifies nothing")
    if method in METHODS_WITHOUT_BODY and plan["form"] is None and plan["body"] is None:
        plan["body"] = ""
    try:
        planned = _plan(**plan, run=run_key)
        head = Head.parse(method, headers, has_body=planned.has_body)
        options = Options(
            target=Target.parse(url, ca_file, head=head, verified=not insecure),
            plan=planned,
            arrival=arrival,
            timeout_seconds=timeout_seconds,
            duration_seconds=duration_seconds,
            auditor=(auditor, run_key, _token()) if auditor is not None and run_key is not None else None,
            history=history,
            accepted=frozenset(accepted),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report = runner.run(_perform(options))
    except OSError as error:
        # Control calls and the target have their own errors: what is left is the disk.
        raise LoadError(f"the history cannot be written: {error}") from error
    click.echo(json.dumps(report.summary) if as_json else told(report.summary))
    if report.fault is not None:
        raise report.fault
    return 0


@cli.command(epilog=f"{PLAN_EXAMPLES}\n{PLACEHOLDER_HELP}")
@_plan_options
@click.option("--accounts", "account_count", type=click.IntRange(1), help="Use accounts, or owners, 1 to N.")
@click.option("--run", help="Key of a run, for {run}.")
@click.option("--operations", is_flag=True, help="List the operations, one line of JSON each: what is hashed.")
@click.option("--json", "as_json", is_flag=True, help="Print count and hash as JSON.")
def plan(*, account_count: int | None, operations: bool, as_json: bool, **plan: Any) -> int:
    """Print how many operations a plan holds, and its SHA-256: the same flags and seed plan the same."""
    if plan["requests"] is None:
        raise click.UsageError("give --requests: a plan without it has no end")
    if account_count is not None:
        if plan["accounts"]:
            raise click.UsageError("give either --accounts or --account")
        plan["accounts"] = tuple(range(1, account_count + 1))
    try:
        planned = _plan(**plan)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if operations:
        for line in planned.lines():
            click.echo(line, nl=False)
        return 0
    count, sha256 = planned.digest()
    click.echo(
        json.dumps({"operations": count, "sha256": sha256}) if as_json else f"{count} operations, sha256 {sha256}"
    )
    return 0


@cli.command("catalog")
def print_catalog() -> int:
    """Print the arrivals as JSON."""
    click.echo(json.dumps(catalog(), indent=1, ensure_ascii=False))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns its exit code."""
    try:
        code = cli.main(
            args=list(sys.argv[1:] if argv is None else argv), prog_name="racelab-load", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    except LoadError as error:
        click.echo(f"racelab-load: {error}", err=True)
        return 3
    return int(code or 0)


async def _perform(options: Options) -> Report:
    return await Run(options).perform()


def _plan(*, accounts: tuple[int, ...], form: str | None, body: str | None, **fields: Any) -> Plan:
    if form is not None and body is not None:
        raise ValueError("give either --form or --body")
    text = _read(body[1:]) if body is not None and body.startswith("@") else body
    return Plan(accounts=accounts or (1,), form=DEFAULT_FORM if form is None else form, text=text, **fields)


def _read(name: str) -> str:
    """Read a body from a file, byte for byte; raises ValueError."""
    try:
        return Path(name).read_bytes().decode()
    except OSError as error:
        raise ValueError(f"--body @{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"--body @{name} holds no UTF-8 text: give it in UTF-8") from error


def _token() -> str:
    token = os.environ.get("RACELAB_TOKEN", "")
    if not token:
        raise ValueError("--auditor needs its token in the environment variable RACELAB_TOKEN")
    return token
