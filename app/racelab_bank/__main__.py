"""`python -m racelab_bank`."""

import sys

from racelab_bank.cli import main

sys.exit(main())
