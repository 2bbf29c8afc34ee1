"""The options that several commands share, and where the lab keeps its things."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_HOME: Final = Path(".racelab")

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RACELAB_HOME",
    show_envvar=True,
    default=DEFAULT_HOME,
    show_default=True,
    help="Where the lab keeps its database, logs and state. One lab runs per home.",
)

_LAB_OPTIONS: Final = (
    home_option,
    click.option(
        "--workers",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Sync workers per replica: how many requests a replica serves at the same time.",
    ),
    click.option(
        "--http-port", type=click.IntRange(1, 65535), help="Port of the edge for HTTP; a free one if left out."
    ),
    click.option(
        "--https-port", type=click.IntRange(1, 65535), help="Port of the edge for HTTPS; a free one if left out."
    ),
    click.option(
        "--database-url",
        envvar="DATABASE_URL",
        show_envvar=True,
        metavar="URL",
        help="Use this PostgreSQL instead of the lab's own: postgresql://USER:PASSWORD@HOST:PORT/NAME.",
    ),
)


def lab_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that starts a lab."""
    for option in reversed(_LAB_OPTIONS):
        command = option(command)
    return command


def examples(*lines: str) -> str:
    """Write the examples at the end of a command's help; the backspace makes click keep the lines as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
