"""What a strategy claims: safe, racy with the anomalies it may show, or safe by refusing some operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

#: Isolation levels by the names used in files, URLs and tables.
ISOLATIONS = ("read-committed", "repeatable-read", "serializable")


class Anomaly(StrEnum):
    """What strategies may claim to show, by the field's standard terms; docs/anomalies.md defines these and others."""

    LOST_UPDATE = "lost_update"
    HIDDEN_OVERDRAFT = "hidden_overdraft"
    VISIBLE_OVERDRAFT = "visible_overdraft"
    DUPLICATE = "duplicate"
    WRITE_SKEW = "write_skew"


@dataclass(frozen=True, slots=True)
class Claim:
    """One cell of the claims table."""

    kind: Literal["safe", "racy", "aborts"]
    anomalies: tuple[Anomaly, ...] = ()

    def within(self, possible: tuple[Anomaly, ...]) -> "Claim":
        """Return the claim for a scenario that can show only the `possible` anomalies."""
        shown = tuple(anomaly for anomaly in self.anomalies if anomaly in possible)
        return Claim("safe") if self.kind == "racy" and not shown else Claim(self.kind, shown)

    def as_json(self) -> dict[str, Any]:
        """Return the catalog's form of it."""
        return {"kind": self.kind, "anomalies": [str(anomaly) for anomaly in self.anomalies]}


#: No anomaly, and no operation refused but for lack of money.
Safe = Claim("safe")

#: No anomaly, because the database aborts operations that would cause one (SQLSTATE 40001 or 40P01).
Aborts = Claim("aborts")

#: A claim per isolation level.
Claims: TypeAlias = Mapping[str, Claim]


def racy(*anomalies: Anomaly) -> Claim:
    """Claim that these anomalies may show as soon as two operations overlap."""
    return Claim("racy", anomalies)


def claims(*, read_committed: Claim, repeatable_read: Claim, serializable: Claim) -> Claims:
    """Claims that differ with the isolation level."""
    return dict(zip(ISOLATIONS, (read_committed, repeatable_read, serializable), strict=True))


def at_every_level(claim: Claim) -> Claims:
    """Return a claim that the isolation level does not change."""
    return claims(read_committed=claim, repeatable_read=claim, serializable=claim)
