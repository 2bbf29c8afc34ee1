"""`make bench`: every measurement in one run. `make bench ARGS=loss` does one of those in `MEASUREMENTS`."""

import sys

from rich.console import Console

from bench import client_cpu, cost, live, loss, proof, streams

MEASUREMENTS = {"loss": loss, "client": client_cpu, "cost": cost, "proof": proof, "live": live, "streams": streams}


def main(argv: list[str]) -> int:
    """Measure what is named, or all; return the exit code."""
    unknown = sorted(set(argv) - set(MEASUREMENTS))
    if unknown:
        print(f"make bench: given {', '.join(unknown)}, allowed {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    # Not narrower when piped into a file: the tables go into docs/benchmarks.md.
    console = Console(width=110)
    for name in argv or MEASUREMENTS:
        measurement = MEASUREMENTS[name]
        console.print(measurement.table(measurement.measure()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
