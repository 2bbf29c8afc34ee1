"""`racelab verify`, which the command line `racelab` starts: the audit and the command line never import each other."""

import sys

import click

from racelab_bank.verifying.cli import verify


def main() -> int:
    """Run the command; return its exit code."""
    try:
        result = verify.main(prog_name="racelab verify", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
