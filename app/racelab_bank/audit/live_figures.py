"""What a live audit tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecentStaleInstall:
    """A write over a balance that its writer had not read."""

    operation: str
    account: int
    amount_cents: int
    replica: str
    written_at_microseconds: int


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """A run's figures as of the rows consumed.

    `lost` and the overdrafts that are hidden or of sums may fall again; `culprits` and `duplicates` only rise. `held`
    rows wait for others, `torn` halves were given up on. `exact` turns false when a count of the lost had to be
    guessed. `violation` says which rows contradict each other, None when none do.
    """

    accounts: int
    entries: int
    opening_cents: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    absolute_drift_cents: int
    lost: int
    culprits: int
    visible_overdrafts: int
    hidden_overdrafts: int
    duplicates: int
    torn: int
    held: int
    exact: bool
    violation: str | None
    replicas_seen: tuple[str, ...]
    writers_seen: int
