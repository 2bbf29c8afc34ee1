"""`python -m racelab_loadgen` is racelab-load."""

from __future__ import annotations

import sys

from racelab_loadgen.cli import main

if __name__ == "__main__":
    sys.exit(main())
