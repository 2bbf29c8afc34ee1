"""What would have prevented an anomaly: which of the lab's strategies, and what it would have done at that place.

The words name the operation that would have been stopped or changed, `{late}`, and the one that it overlooked,
`{early}`. A test holds every strategy that is named against its claims.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: By kind of anomaly, and by the name of a strategy or the isolation level of a transaction.
PREVENTIONS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "lost_update": {
            "row_lock": "would have blocked {late}'s read until {early} had committed",
            "f_expression": "would have added {late}'s amount to what {early} had left",
            "version_check": "would have found 0 rows at {late}'s write, and read again",
            "repeatable-read": "would have aborted {late}'s write, in a transaction (40001)",
        },
        "write_skew": {
            "joint_lock": "would have blocked {late}'s read of both accounts until {early} had committed",
            "serializable": "would have aborted one of the two transactions (40001)",
        },
        "duplicate": {
            "get_or_create_unique": "would have refused {late}'s insert, and found {early}'s account instead",
            "serializable": "would have aborted one of the two transactions (40001)",
        },
    }
)


def reason(kind: str, late: str, early: str) -> str:
    """Return what would have prevented it, in one sentence."""
    told = (
        f"{name.replace('-', ' ')} {words.format(late=late, early=early)}" for name, words in PREVENTIONS[kind].items()
    )
    return "; ".join(told) + "."
