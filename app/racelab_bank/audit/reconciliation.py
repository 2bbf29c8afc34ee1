"""Compare what the ledger holds with what the generators were told.

With complete histories: ok ≤ applied operations ≤ ok + info. Fewer would mean that acknowledged operations are missing,
more that somebody else wrote, or that the histories are not all there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from racelab_bank.audit.words import count

if TYPE_CHECKING:
    from racelab_bank.audit.history import History


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Operations by their keys: `ok` acknowledged, `info` unknown to their callers, `applied` in the ledger.

    `reason` says why they do not agree; None when they do.
    """

    ok: int
    info: int
    applied: int
    reason: str | None


def reconcile(history: History) -> Reconciliation:
    """Compare histories and ledger. It means something only when all expected histories are complete."""
    keys = history.keys
    acknowledged = keys.told("ok")
    ok = int(acknowledged.sum())
    info = int((keys.told("info") & ~acknowledged).sum())
    applied = int(keys.applied.sum())
    reason = None
    if applied < ok:
        reason = f"{count(ok, 'operation')} acknowledged, but the ledger holds {applied}"
    elif applied > ok + info:
        reason = (
            f"the ledger holds {count(applied, 'operation')}, but only {ok} were acknowledged and {info} are unknown "
            "to their callers: somebody else wrote, too"
        )
    return Reconciliation(ok, info, applied, reason)
