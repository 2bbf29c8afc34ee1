"""`python -m racelab_operator` is `racelab`."""

import sys

from racelab_operator.cli import main

sys.exit(main())
