"""`racelab up`: a bank that stays up, for playing by hand and for the clients of the older systems."""

from __future__ import annotations

import contextlib
import math
import sys
from typing import TYPE_CHECKING, Any

import click

from racelab_operator import newcomers
from racelab_operator.cli_options import examples, lab_options
from racelab_operator.interruption import Interruption, interruptible
from racelab_operator.keeping import address_lines, closing_surely, stay_up
from racelab_operator.platforms.local import prometheus
from racelab_operator.platforms.local.lab import LocalLab
from racelab_operator.report.table import console

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from racelab_operator.newcomers import Newcomer


def _a_number(_context: click.Context, _parameter: click.Parameter, given: float) -> float:
    """Refuse nan, which is neither below nor above a bound."""
    if math.isnan(given):
        raise click.BadParameter("nan is not in the range 0<=x<=10.")
    return given


@click.command(
    epilog=examples(
        "racelab up",
        "racelab up --replicas 5 --workers 2 --https-port 8443",
        "racelab up --prometheus",
        "racelab up --admin root --user ann:secret --delay-scale 0.1",
        "DATABASE_URL=postgresql://me@db.example/lab racelab up",
    )
)
@click.option("--replicas", type=click.IntRange(1, 32), default=3, show_default=True, help="Replicas of the bank.")
@click.option(
    "--admin",
    metavar="NAME",
    help=f"Make a superuser for the Django admin; the password comes from {newcomers.PASSWORD_VARIABLE}, else it is "
    "asked for.",
)
@click.option(
    "--user",
    "users",
    metavar="NAME:PASSWORD",
    multiple=True,
    help="Make a user who can log in and withdraw from an account of 1,000,000; repeatable.",
)
@click.option(
    "--delay-scale",
    type=click.FloatRange(0, 10),
    default=1.0,
    show_default=True,
    callback=_a_number,
    help="What the 3 to 10 s of the older systems' long delays are multiplied by.",
)
@click.option(
    "--prometheus",
    "with_prometheus",
    is_flag=True,
    help="Start the `prometheus` that is on PATH too: it scrapes the lab every second and knows its alerts.",
)
@click.option(
    "--prometheus-port",
    type=click.IntRange(1, 65535),
    help="Port of Prometheus, with --prometheus; a free one if left out.",
)
@lab_options
def up(
    replicas: int,
    admin: str | None,
    users: tuple[str, ...],
    delay_scale: float,
    *,
    with_prometheus: bool,
    prometheus_port: int | None,
    **lab_flags: Any,
) -> int:
    """Keep the bank up, and print where it is.

    It runs until Ctrl-C, SIGTERM or `racelab down`, and takes everything it started with it. Its account 1 belongs to
    the run `playground`, for trying things out by hand.
    """
    out, err = console(sys.stdout), console(sys.stderr)
    if prometheus_port is not None and not with_prometheus:
        raise click.UsageError(f"given --prometheus-port {prometheus_port} without --prometheus: add that, too")
    lab_flags["prometheus"] = prometheus.Prometheus(prometheus.program(), prometheus_port) if with_prometheus else None
    people = newcomers.newcomers(admin, users)
    lab_flags["home"] = lab_flags["home"].absolute()
    with interruptible():
        lab = LocalLab(**lab_flags, delay_scale=delay_scale, purpose="racelab up")
        # An interruption is how this command is meant to end, whenever it comes.
        with closing_surely(lab), contextlib.suppress(Interruption):
            addresses = lab.start(replicas, progress=err.print if err.is_terminal else None)
            newcomers.make(people, addresses)
            for line in (*address_lines(addresses), "", *older_systems_lines(addresses.http_url, people)):
                out.print(line)
            out.print("Ctrl-C ends it.")
            sys.stdout.flush()
            stay_up(lab, err)
    return 0


def older_systems_lines(http_url: str, people: Sequence[Newcomer]) -> Iterator[str]:
    """Tell where the endpoints of the older systems are, and who can log in."""
    http = http_url.rstrip("/")
    yield "The endpoints of older systems, in whole units (docs/history.md):"
    yield f"  demo   {http}/demo/atomic_long_delay/  account=1 amount=100, or item=1 code=1"
    yield f"  hesap  {http}/hesap  sahip=1 artim=20"
    if users := [newcomer.name for newcomer in people if not newcomer.is_superuser]:
        yield f"  login  {http}/auth/login/ as {', '.join(users)}, then {http}/accounts/withdraw/"
    if admins := [newcomer.name for newcomer in people if newcomer.is_superuser]:
        yield f"  admin  {http}/admin/ as {', '.join(admins)}"
