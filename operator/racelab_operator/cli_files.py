"""`racelab report`, `init` and `completion`: commands that start nothing."""

from __future__ import annotations

import sys
import textwrap
from importlib import resources
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from racelab_operator.catalog import catalog
from racelab_operator.cli_options import examples
from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.outputs import STDOUT, check_output, write_output
from racelab_operator.report.json import read_reports
from racelab_operator.report.table import console, print_report

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=examples(
        "racelab run --json report.json mine.yaml; racelab report report.json",
        "racelab report report.json --html report.html",
    )
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.json")
@click.option("--html", "html_out", metavar="OUT", help="Write it to this file as one page; - is standard output.")
def report(file: Path, html_out: str | None) -> None:
    """Print the table of a report that `racelab run --json` wrote, or write it as a page that shows everything.

    The page is one file that opens from disk, can be mailed, and prints on A4; docs/report.md tells what is on it.
    """
    if html_out is not None:
        check_output("--html", html_out)
        if html_out != STDOUT and Path(html_out).resolve() == file.resolve():
            raise WrongUseError(f"--html {html_out}: is the report itself: name another file")
    reports = read_reports(file)
    if html_out is not None:
        from racelab_operator.report.html import reports_as_html  # noqa: PLC0415  the table should not wait for it

        write_output("--html", html_out, reports_as_html(reports))
        return
    out = console(sys.stdout)
    for one in reports:
        print_report(one, out)


def example() -> str:
    """Return the example file, with the scenarios and strategies that there are now."""
    text = resources.files(__package__).joinpath("example.yaml").read_text(encoding="utf-8")
    for mark, names in (("SCENARIOS", catalog().scenarios), ("STRATEGIES", catalog().strategies)):
        listed = textwrap.fill(", ".join(names), 116, initial_indent="  # ", subsequent_indent="  # ")
        text = text.replace(f"  # {mark}", listed)
    return text


@click.command(epilog=examples("racelab init", "racelab init mine.yaml && racelab run mine.yaml"))
@click.argument("file", type=click.Path(path_type=Path), default=Path("experiment.yaml"), metavar="[FILE]")
def init(file: Path) -> None:
    """Write an example experiment that explains itself; experiment.yaml if no name is given."""
    text = example()
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise WrongUseError(f"{file}: exists already and is left as it is: choose another name") from None
    except FileNotFoundError:
        raise WrongUseError(f"{file}: there is no directory {file.parent}: make it first") from None
    except OSError as error:
        raise RacelabError(f"{file}: cannot be written: {error.strerror}") from None
    click.echo(f"wrote {file}: run it with `racelab run {file}`")


@click.command(
    epilog=examples(
        'eval "$(racelab completion bash)"',
        "racelab completion zsh > ~/.zfunc/_racelab",
        "racelab completion fish > ~/.config/fish/completions/racelab.fish",
    )
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    root = context.find_root()
    kind = get_completion_class(shell)
    assert kind is not None, "click knows every shell of the choice"  # noqa: S101
    click.echo(kind(root.command, {}, "racelab", "_RACELAB_COMPLETE").source())
