"""`racelab-bank isolation`: performs the anomalies on the user's own PostgreSQL."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from racelab_bank.isolation.observation import Observations


class UnexpectedBehaviour(click.ClickException):
    """The database did not behave as PostgreSQL is expected to."""

    exit_code = 1


class UnusableDatabase(click.ClickException):
    """The database cannot be reached, or does not let the scripts be performed."""

    exit_code = 3


@click.command()
@click.option(
    "--database-url",
    envvar="DATABASE_URL",
    show_envvar=True,
    help="The PostgreSQL to perform on, as a libpq URI: straight to it, not through a pool that deals out sessions.",
)
def isolation(database_url: str | None) -> None:
    """Perform Hermitage's anomalies on a PostgreSQL: print which show at which isolation level.

    Real transactions run step by step on a scratch table in the schema racelab_hermitage, which is dropped at the end;
    nothing else is touched. The user needs CREATE on the database, and four connections.

    \b
    Exit codes:
      0  every anomaly shows where it is expected to, and is prevented as expected elsewhere
      1  one did not: it is named, with its script as performed
      2  a wrong flag
      3  the database cannot be reached, or does not let the scripts be performed

    \b
    Example:
      racelab-bank isolation --database-url postgresql:///racelab
    """  # noqa: D301 - \b is click's
    if not database_url:
        raise click.UsageError(
            "--database-url: given nothing, allowed a libpq URI such as postgresql:///racelab; or set DATABASE_URL"
        )
    # Here, since `--help` and the other commands should not wait for it.
    from racelab_bank.isolation.comparison import differences, table  # noqa: PLC0415
    from racelab_bank.isolation.notation import LEGEND, listing  # noqa: PLC0415
    from racelab_bank.isolation.script import LEVELS  # noqa: PLC0415

    version, observations = _performed(database_url)
    click.echo(table(observations))
    click.echo(f"\n{LEGEND}")
    differing = list(differences(observations))
    for one in differing:
        click.echo(f"{one}\n{listing(one.observation)}\n")
    cells = len(observations) * len(LEVELS)
    if differing:
        raise UnexpectedBehaviour(f"PostgreSQL {version}: {len(differing)} of {cells} are not as expected")
    click.echo(f"PostgreSQL {version}: all {cells} are as expected")


def _performed(database_url: str) -> "tuple[str, Observations]":
    """Return the server's version and what was observed on it."""
    import psycopg  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

    from racelab_bank.isolation.errors import NotPerformed  # noqa: PLC0415
    from racelab_bank.isolation.performing import perform_all, performer  # noqa: PLC0415

    defaults: dict[str, str | int | None] = {"connect_timeout": 10, "application_name": "racelab isolation"}
    try:
        conninfo = make_conninfo("", **{**defaults, **conninfo_to_dict(database_url)})
    except psycopg.ProgrammingError as error:
        raise click.UsageError(
            f"--database-url: given no libpq URI ({_line(error)}), allowed one such as postgresql:///racelab"
        ) from error
    try:
        with performer(lambda: psycopg.connect(conninfo)) as performing:
            return performing.table.version, perform_all(performing)
    except psycopg.errors.InsufficientPrivilege as error:
        raise UnusableDatabase(f"{_line(error)}: GRANT CREATE ON DATABASE to this user, or use another one") from error
    except psycopg.OperationalError as error:
        raise UnusableDatabase(
            f"the database cannot be reached: {_line(error)}; check --database-url (DATABASE_URL), and that it runs"
        ) from error
    except psycopg.Error as error:
        raise UnusableDatabase(f"the scripts cannot be performed on this database: {_line(error)}") from error
    except NotPerformed as error:
        raise UnusableDatabase(str(error)) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
