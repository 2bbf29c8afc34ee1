"""`racelab drift`: what a run's balances hold against what its ledger says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from racelab_operator.auditor import Auditor
from racelab_operator.cli_options import examples, home_option
from racelab_operator.errors import WrongUseError
from racelab_operator.keeping import addresses_of_lab
from racelab_operator.money import cents_as_text
from racelab_operator.runs import unknown_run
from racelab_operator.words import others_as_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from racelab_operator.observed import Accounts, Audit, DuplicateBalances

PLAYGROUND: Final = "playground"
_SHOWN_ACCOUNTS: Final = 10
_JSON_FIELDS: Final = (
    "run", "final", "opening_cents", "ledger_total_cents", "balance_cents", "drift_cents", "absolute_drift_cents",
    "entries", "lost",
)  # fmt: skip


@click.command(
    epilog=examples("racelab drift", "racelab drift --anomalies 10", "racelab drift --run quickstart-k3x9a-4 --json")
)
@click.option(
    "--run", "key", default=PLAYGROUND, show_default=True, metavar="NAME", help="`racelab status` lists them."
)
@click.option(
    "--anomalies",
    "limit",
    type=click.IntRange(0, 1_000),
    default=0,
    metavar="N",
    help="Tell the first N anomalies, each in a sentence: who was lost, and to whom.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, amounts in cents.")
@home_option
def drift(home: Path, key: str, limit: int, *, as_json: bool) -> None:
    """Compare the balances of a run with its ledger.

    What the accounts hold must be what they opened with plus every entry; the difference is the drift. `lost` is
    proved from the order in which balances were written. `duplicates` counts balances that were recorded twice, which
    is how lost updates are found where no such order is known; it says where that misleads.
    """
    addresses = addresses_of_lab(home)
    with Auditor(addresses.auditor_url, addresses.token) as auditor:
        audit = auditor.audit(key)
        if audit is None:
            raise WrongUseError(unknown_run("--run", key, auditor))
        again = auditor.duplicate_balances(key)
        accounts = auditor.accounts(key, _SHOWN_ACCOUNTS)
        told = [one.sentence for one in auditor.anomalies(key, limit).anomalies] if limit else []
    if as_json:
        value = {name: getattr(audit, name) for name in _JSON_FIELDS} | {
            "duplicate_balances": again.duplicates,
            "duplicate_balances_mislead": list(again.reasons),
            "anomalies": audit.shown,
            "accounts": [one.model_dump() for one in accounts.accounts],
            "sentences": told,
        }
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
        return
    for line in (*_lines(audit, again), *_account_lines(accounts), *told):
        click.echo(line)


def _lines(audit: Audit, again: DuplicateBalances) -> Iterator[str]:
    amounts = {
        "opening": audit.opening_cents,
        "ledger total": audit.ledger_total_cents,
        "balance": audit.balance_cents,
        "drift": audit.drift_cents,
    }
    texts = {name: cents_as_text(cents) for name, cents in amounts.items()} | {
        "lost": f"{audit.lost} of {audit.entries}",
        "duplicates": str(again.duplicates),
    }
    width = max(map(len, texts.values()))
    yield f"run           {audit.run}"
    for name, text in texts.items():
        yield f"{name:<13} {text:>{width}}{'  balances recorded twice' if name == 'duplicates' else ''}"
    for reason in again.reasons:
        yield f"  misleads: {reason}"
    if others := others_as_text(audit.anomalies):
        yield f"also found    {others}"


def _account_lines(accounts: Accounts) -> Iterator[str]:
    """Say which accounts the drift is on, where there are several: the playground is shared by all who play."""
    if accounts.count < 2:
        return
    rows = [("", "balance", "drift", "lost")]
    for one in accounts.accounts:
        whose = one.user or (f"owner {one.owner}" if one.owner is not None else "")
        name = f"account {one.account}" if one.kind == "money" else f"account {one.account}, {one.kind}"
        as_text = str if one.kind == "code" else cents_as_text  # a code counts its uses
        amounts = (as_text(one.balance_cents), as_text(one.drift_cents))
        rows.append((f"{name}, {whose}" if whose else name, *amounts, f"{one.lost} of {one.entries}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield ""
    for name, *cells in rows:
        right = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield f"{name.ljust(widths[0])}  {right}"
    if accounts.count > len(accounts.accounts):
        yield f"and {accounts.count - len(accounts.accounts)} more"
