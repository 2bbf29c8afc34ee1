"""Who read and wrote what, in which order: an anomaly between two operations as two lanes.

`making` takes it from a history, `preventing` says what would have prevented it, `text` and `drawing` show it.
"""

from racelab_bank.audit.interleaving.making import Event, Interleaving, Lane, interleavings

__all__ = ["Event", "Interleaving", "Lane", "interleavings"]
