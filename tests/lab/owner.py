"""Owns a lab in a process of its own: says `up` when it is, ends on SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from lab.programs import FAKES
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.lab import LocalLab
from racelab_operator.platforms.local.programs import Programs


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--database")
    parser.add_argument("--real", action="store_true", help="the real bank and auditor, without a load")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        programs = Programs() if given.real else FAKES
        with LocalLab(given.home, database_url=given.database, purpose="a test", programs=programs) as lab:
            print("starting", flush=True)
            lab.start(2)
            if not given.real:
                lab.start_load("load", [])
            print("up", flush=True)
            signal.pause()
    except LabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
