"""Keeping a lab up, finding it from elsewhere, and ending it for certain."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from racelab_operator.errors import RacelabError
from racelab_operator.interruption import Interruption
from racelab_operator.platforms.local.platform import ESSENTIAL
from racelab_operator.platforms.local.state import current_lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from racelab_operator.platforms.local.addresses import Addresses
    from racelab_operator.platforms.local.lab import LocalLab

POLL_SECONDS: Final = 0.3


@contextlib.contextmanager
def closing_surely(lab: LocalLab) -> Iterator[LocalLab]:
    """End the lab on every way out; an interruption while it ends does not stop it from ending."""
    try:
        yield lab
    finally:
        try:
            lab.close()
        except Interruption:
            lab.close()


def stay_up(lab: LocalLab, console: Console) -> None:
    """Wait for an interruption, which is how a lab is meant to end.

    Raises:
        RacelabError: a part of the lab died that is not started again.

    """
    told: dict[str, str] = {}
    try:
        while True:
            failed = lab.failed_processes()
            if dead := sorted(ESSENTIAL & failed.keys()):
                raise RacelabError("; ".join(f"{name} died: {failed[name]}" for name in dead))
            for name, reason in failed.items():
                if told.get(name) != reason:
                    console.print(f"{name} died: {reason}")
            told = dict(failed)
            time.sleep(POLL_SECONDS)
    except Interruption:
        return


def addresses_of_lab(home: Path) -> Addresses:
    """Say where the lab of this home can be reached.

    Raises:
        RacelabError: none is running there.

    """
    record = current_lab(home.absolute())
    if record is None or record.addresses is None:
        raise RacelabError(f"no lab is running in {home}: start one with `racelab up`, or `racelab run --keep`")
    return record.addresses


def page_link(addresses: Addresses) -> str:
    """Return the live page's address, which signs in whoever opens it: what stands behind # is sent to nobody."""
    return f"{addresses.auditor_url.rstrip('/')}/#token={addresses.token}"


def address_lines(addresses: Addresses) -> Sequence[str]:
    """Tell where the bank, the auditor, its page and Prometheus are, and how to make a deposit."""
    metrics = (f"metrics  {addresses.prometheus_url} (Prometheus)",) if addresses.prometheus_url else ()
    https = addresses.https_url.rstrip("/")
    form = "-d account=1 -d amount=100 -d operation=first"
    return (
        f"bank     {https}",
        f"         {addresses.http_url.rstrip('/')}",
        f"auditor  {addresses.auditor_url.rstrip('/')}",
        f"page     {page_link(addresses)}",
        *metrics,
        f"CA       {addresses.ca_file}",
        "",
        "A deposit of 1.00 on the playground's account, then its drift:",
        f"  curl -sS --cacert '{addresses.ca_file}' {form} {https}/bank/deposit/atomic_only/",
        "  racelab drift",
    )
