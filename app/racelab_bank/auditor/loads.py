"""What generators recorded, counted for Prometheus: once per run, when all histories that will come have come."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from django.db import connection

from racelab_bank.auditor.remembering import Newest
from racelab_bank.models import Generator, Run

#: Upper bounds of the histogram, in seconds.
BUCKETS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_COUNTS = """
SELECT generator, type, count(*) FROM operation WHERE run = %(run)s GROUP BY generator, type ORDER BY generator, type"""

# Bucket 0 is below the first threshold; thresholds are a microsecond above the bounds, which are inclusive.
_DURATIONS = """
SELECT width_bucket(end_microseconds - begin_microseconds, %(thresholds)s::bigint[]) AS bucket, count(*),
    sum(end_microseconds - begin_microseconds)::bigint
FROM operation WHERE run = %(run)s AND status IS NOT NULL GROUP BY bucket"""

_KEPT = 200


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """A run's load. `operations` counts by generator and type; `cumulative` answered ones up to each bucket's bound.

    `skews_microseconds`: how far each generator's first request was from the start that all had agreed on.
    """

    operations: dict[tuple[int, str], int]
    cumulative: tuple[int, ...]
    answered: int
    total_microseconds: int
    skews_microseconds: dict[int, int]


_known: Newest[tuple[tuple[int, str], int], LoadFigures] = Newest(_KEPT)


def load_figures(run: Run) -> LoadFigures | None:
    """Return what the run's generators have recorded; None while no history is there.

    The cost is in the number of operations, but once per history that comes: afterwards it is remembered.
    """
    complete = Generator.objects.filter(run=run, history=Generator.History.COMPLETE)
    skews = dict(complete.values_list("index", "start_skew_microseconds"))
    if not skews:
        return None
    key = (run.identity, len(skews))
    known = _known.get(key)
    if known is None:
        known = _known[key] = _counted(run, {index: skew for index, skew in skews.items() if skew is not None})
    return known


def _counted(run: Run, skews_microseconds: dict[int, int]) -> LoadFigures:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"run": run.pk})
        operations = {(generator, kind): number for generator, kind, number in cursor.fetchall()}
        thresholds = [round(bound * 1_000_000) + 1 for bound in BUCKETS_SECONDS]
        cursor.execute(_DURATIONS, {"run": run.pk, "thresholds": thresholds})
        buckets = {bucket: (number, microseconds) for bucket, number, microseconds in cursor.fetchall()}
    counts = [buckets.get(bucket, (0, 0))[0] for bucket in range(len(BUCKETS_SECONDS) + 1)]
    *cumulative, answered = accumulate(counts)
    total = sum(microseconds for _, microseconds in buckets.values())
    return LoadFigures(operations, tuple(cumulative), answered, total, skews_microseconds)
