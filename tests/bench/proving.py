"""Proves one made history, and prints how fast it was: `python -m bench.proving ENTRIES STALE`."""

import gc
import json
import resource
import sys
import time

from bench.synthetic import deposits
from racelab_bank.audit.report import Outcome, audit
from racelab_bank.verifying.memory import keep_freed_memory


def main(entries: int, stale: float) -> None:
    """Prove it and print a line of JSON."""
    keep_freed_memory()
    audit(deposits(1_000, stale=stale), final=True)  # imports what is imported late
    history = deposits(entries, stale=stale)
    gc.collect()
    begin = time.process_time()
    report = audit(history, final=True)
    taken = time.process_time() - begin
    assert report.certificate is not None
    assert report.certificate.serializable is (stale == 0)
    assert report.outcome is (Outcome.ANOMALOUS if stale else Outcome.CONSISTENT), report.reason
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"per_second": entries / taken, "peak_bytes": peak}))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
