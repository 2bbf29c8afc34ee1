"""Proves one made history, and prints how fast it was: `python -m bench.proving ENTRIES STALE`."""

import gc
import json
import resource
import sys
import time
from dataclasses import replace

from bench.synthetic import deposits
from racelab_bank.audit.report import Outcome, audit
from racelab_bank.verifying.memory import keep_freed_memory

#: The first one has the kernel hand out memory for the first time, which on some machines takes as long as the proof.
ROUNDS = 3


def main(entries: int, stale: float) -> None:
    """Prove it and print a line of JSON."""
    keep_freed_memory()
    audit(deposits(1_000, stale=stale), final=True)  # imports what is imported late
    made = deposits(entries, stale=stale)
    taken = []
    for _ in range(ROUNDS):
        history = replace(made)  # the same tables, without the indexes that an audit has built
        gc.collect()
        begin = time.process_time()
        report = audit(history, final=True)
        taken.append(time.process_time() - begin)
        del history
    assert report.certificate is not None
    assert report.certificate.serializable is (stale == 0)
    assert report.outcome is (Outcome.ANOMALOUS if stale else Outcome.CONSISTENT), report.reason
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"per_second": entries / min(taken), "peak_bytes": peak}))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
