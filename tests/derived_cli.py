"""docs/cli.md: what every command says of itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/cli.md"
COLUMNS = 100

HEAD = """# Command lines

Made by `make generate` from the code; do not edit. `racelab` is for people, the other three are what it starts, on this
machine and in Pods; they work alone, too.
"""


def cli_page() -> str:
    """Return docs/cli.md; asked in a process of its own, as click keeps what it has made of a command."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("RACELAB_", "DATABASE_"))}
    asked = subprocess.run([sys.executable, __file__], check=True, capture_output=True, text=True, env=own)
    return asked.stdout


def page() -> str:
    """Return the page as this process sees it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "racelab_bank.settings")
    from racelab_bank.cli import cli as bank
    from racelab_loadgen.cli import cli as load
    from racelab_operator.cli import cli
    from racelab_operator.operator_cli import operator

    parts = [HEAD]
    for name, command in (
        ("racelab", cli),
        ("racelab-load", load),
        ("racelab-bank", bank),
        ("racelab-operator", operator),
    ):
        parts.append(f"## {name}\n")
        parts += [f"```\n{text}\n```\n" for text in _helps(name, command)]
    return "\n".join(parts).rstrip() + "\n"


def _helps(name: str, command: click.Command, parent: click.Context | None = None) -> Iterator[str]:
    settings = {**command.context_settings, "terminal_width": COLUMNS, "max_content_width": COLUMNS}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for one in command.list_commands(context):
            found = command.get_command(context, one)
            if found is not None and not found.hidden:
                yield from _helps(one, found, context)


if __name__ == "__main__":
    print(page(), end="")
