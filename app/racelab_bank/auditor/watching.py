"""A run as people look at it: live, and after its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from racelab_bank.audit.live_figures import RecentStaleInstall
from racelab_bank.auditor import following, rows
from racelab_bank.auditor.auditing import audit_run
from racelab_bank.auditor.sampling import Sample
from racelab_bank.models import Run


@dataclass(frozen=True, slots=True)
class Watched:
    """A run as the live page shows it; `audit` as docs/contracts.md has it, the rest as in `Live`."""

    run: Run
    audit: dict[str, Any]
    samples: tuple[Sample, ...]
    stale_installs: tuple[RecentStaleInstall, ...]
    served: Mapping[str, int]
    lag_seconds: float


def watch(run: Run) -> Watched:
    """Look at a run: live while it goes on, its final audit afterwards.

    What nobody followed while it went on is not read again once it is closed: its samples and stale installs are empty.
    """
    if run.closed_at is not None and not following.is_followed(run):
        return Watched(run, audit_run(run), (), (), rows.entries_by_replica(run), 0.0)
    now = following.live(run)
    audit = now.report.to_json(run.key) if run.closed_at is None else audit_run(run)
    return Watched(run, audit, now.samples, now.stale_installs, now.served, now.lag_seconds)
