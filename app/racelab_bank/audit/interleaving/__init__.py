"""Who read and wrote what, in which order: an anomaly between two operations as two lanes.

`making` finds what can be shown, `casting` says who takes part, `scene` takes their reads and writes from the history.
`constraining` and `ordering` put them in an order that is possible, `noting` tells where times say another one, and
`preventing` what would have prevented it. What comes of it is in `values`; `text` and `drawing` show it.
"""

from racelab_bank.audit.interleaving.making import interleave, interleavings, page
from racelab_bank.audit.interleaving.preventing import Remedies, Remedy
from racelab_bank.audit.interleaving.values import Event, Interleaving, Kind, Lane, Reason, Version

__all__ = [
    "Event", "Interleaving", "Kind", "Lane", "Reason", "Remedies", "Remedy", "Version", "interleave", "interleavings",
    "page",
]  # fmt: skip
