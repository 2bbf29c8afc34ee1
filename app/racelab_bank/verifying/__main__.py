"""`racelab verify`, which the command line `racelab` starts: the audit and the command line never import each other."""

import sys

from racelab_bank.cli import main
from racelab_bank.verifying.cli import verify

if __name__ == "__main__":
    sys.exit(main(command=verify, name="racelab verify"))
