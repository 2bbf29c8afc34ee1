"""Latencies in a fixed amount of memory: a histogram whose buckets are exact to less than 1 %."""

from __future__ import annotations

from array import array

# Below 256 every microsecond has its bucket; above, every doubling has 128.
_FINE_BITS = 7
_FINE = 1 << _FINE_BITS
_BUCKETS = 64 * _FINE


class Latencies:
    """Counts latencies in microseconds and gives percentiles."""

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * _BUCKETS))
        self.count = 0

    def add(self, microseconds: int) -> None:
        """Count one latency; below 0 counts as 0."""
        shift = max(0, microseconds.bit_length() - _FINE_BITS - 1)
        self._counts[(shift << _FINE_BITS) + (max(0, microseconds) >> shift)] += 1
        self.count += 1

    def percentile_milliseconds(self, percent: float) -> float | None:
        """Give the smallest latency that `percent` of all do not exceed; None without any."""
        if not self.count:
            return None
        wanted = max(1, -(-self.count * percent // 100))
        seen = 0
        for bucket, number in enumerate(self._counts):
            seen += number
            if seen >= wanted:
                return round(_microseconds(bucket) / 1000, 3)
        raise AssertionError("the buckets hold fewer latencies than were counted")


def _microseconds(bucket: int) -> float:
    if bucket < 2 * _FINE:
        return bucket
    shift = (bucket >> _FINE_BITS) - 1
    return ((bucket - (shift << _FINE_BITS)) << shift) + ((1 << shift) - 1) / 2
