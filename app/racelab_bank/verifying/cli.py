"""The command `verify`: a history file in, what it proves out."""

from __future__ import annotations

import gc
import json
from typing import IO, TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from racelab_bank.audit.history import History
    from racelab_bank.audit.report import AuditReport

#: Exit codes by what was observed; 2 is a wrong file.
_EXIT_CODES: Final = {"Consistent": 0, "Anomalous": 1, "Unknown": 3}
_WRONG_FILE: Final = 2


_EXAMPLES: Final = """\b
Examples:
  racelab verify history.jsonl
  racelab verify history.jsonl --explain 3
  racelab export playground | racelab verify - --json | jq .certificate.serializable
"""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=_EXAMPLES)
@click.argument("file", type=click.File("rb"), metavar="FILE.jsonl")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, amounts in cents.")
@click.option(
    "--anomalies",
    "limit",
    type=click.IntRange(0, 1_000_000),
    default=10,
    show_default=True,
    metavar="N",
    help="Tell the first N anomalies, each in a sentence.",
)
@click.option(
    "--explain",
    type=click.IntRange(0, 1_000),
    default=0,
    metavar="N",
    help="Draw the first N lost operations and their culprits side by side.",
)
@click.pass_context
def verify(context: click.Context, file: IO[bytes], limit: int, explain: int, *, as_json: bool) -> None:
    """Check a history without a database: what was lost, to whom, and whether a serial order explains the rest.

    FILE is in the format of docs/histories.md; - is standard input. `racelab export RUN` writes one of the lab's runs,
    and any system can write its own.

    Exit codes: 0 Consistent; 1 Anomalous; 3 Unknown, for the reason that is told; 2 the file is no history, told with
    the line to look at.
    """
    from racelab_bank.audit.jsonl.problems import WrongHistory  # noqa: PLC0415 - `--help` should not wait for it
    from racelab_bank.audit.jsonl.reading import read  # noqa: PLC0415
    from racelab_bank.verifying.memory import keep_freed_memory  # noqa: PLC0415

    keep_freed_memory()
    # Lines make no circles, and looking for some after every few hundred of them takes half of the reading.
    gc.disable()
    try:
        found = read(file)
    except WrongHistory as error:
        click.echo(f"{file.name}: {error}", err=True)
        context.exit(_WRONG_FILE)
    except OSError as error:
        click.echo(f"{file.name}: cannot be read: {error.strerror}", err=True)
        context.exit(_WRONG_FILE)
    from racelab_bank.audit.report import audit  # noqa: PLC0415

    report = audit(found.history, final=True)
    told, drawn = _told(found.history, limit, explain)
    if as_json:
        value = report.to_json(found.first.run) | {"sentences": told, "interleavings": drawn}
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        for line in (*_lines(report, found.first.run), *_listed("anomalies", told), *drawn):
            click.echo(line)
    context.exit(_EXIT_CODES[report.outcome.value])


def _told(history: History, limit: int, explain: int) -> tuple[list[str], list[str]]:
    """Return the first anomalies as sentences, and the first lost operations as drawings."""
    from racelab_bank.audit.report import page  # noqa: PLC0415

    _, found = page(history, final=True, offset=0, limit=limit)
    if not explain:
        return [one.sentence for one in found], []
    from racelab_bank.audit.interleaving import interleavings  # noqa: PLC0415
    from racelab_bank.audit.interleaving.text import as_text  # noqa: PLC0415

    return [one.sentence for one in found], [as_text(one) for one in interleavings(history, limit=explain)]


def _lines(report: AuditReport, run: str) -> list[str]:
    from racelab_bank.audit.words import count, money  # noqa: PLC0415

    figures = {
        "accounts": f"{report.accounts}",
        "entries": f"{report.entries}",
        "ledger total": money(report.ledger_total_cents),
        "balance": money(report.balance_cents),
        "drift": money(report.drift_cents),
        "lost": f"{report.lost} of {report.entries}",
    }
    width = max(map(len, figures.values()))
    lines = [f"{report.outcome.value}: {report.reason}", "", f"{'run':<13} {run}"]
    lines += [f"{name:<13} {text:>{width}}" for name, text in figures.items()]
    certificate = report.certificate
    if certificate is not None:
        words = {True: "serializable", False: "not serializable", None: "no certificate"}
        lines += ["", f"{words[certificate.serializable]}: {certificate.reason}"]
        lines += [f"  {one['sentence']}" for one in certificate.witnesses]
        more = sum((certificate.cycles or {}).values()) - len(certificate.witnesses)
        if more > 0:
            lines.append(f"  and {count(more, 'cycle')} more")
    return lines


def _listed(heading: str, sentences: list[str]) -> list[str]:
    return ["", heading, *(f"  {sentence}" for sentence in sentences)] if sentences else []
