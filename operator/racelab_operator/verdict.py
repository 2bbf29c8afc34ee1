"""Judging a step: what the audit observed against what the strategy claims. Pure, and it never guesses.

In this order:
1. a claim of safe or aborts with an anomaly is Refuted, even if histories are incomplete;
2. with histories incomplete, or fewer replicas seen than asked, the verdict is Unknown;
3. racy with a claimed anomaly is Confirmed;
4. racy with only unclaimed anomalies is Refuted;
5. racy with none is NotReproduced;
6. the rest is Confirmed.

An audit that could not come to an outcome, and a step in which nothing was written, prove nothing: Unknown.
One writer cannot race: a racy claim counts as safe then. A file's `expect` takes the place of the claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from racelab_operator.catalog import catalog
from racelab_operator.money import cents_as_text
from racelab_operator.words import others_as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from racelab_operator.catalog import Claim
    from racelab_operator.observed import Audit
    from racelab_operator.steps import Step

VerdictWord = Literal["Confirmed", "Refuted", "NotReproduced", "Unknown"]
Expect = Literal["Claim", "Consistent", "Anomalous"]

ONE_WRITER: Final = "one writer cannot race"
# An experiment is as good as its worst step, in the order of the exit codes.
_WORST_FIRST: Final[tuple[VerdictWord, ...]] = ("Refuted", "Unknown", "NotReproduced", "Confirmed")
_EXIT_CODES: Final = {"Confirmed": 0, "Refuted": 1, "Unknown": 3, "NotReproduced": 1}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The word, and the sentence that says why."""

    word: VerdictWord
    reason: str


def judge(step: Step, audit: Audit, expect: Expect = "Claim") -> Verdict:
    """Judge the final audit of a step."""
    word, why = _word(step, audit, expect)
    expected = f"claimed {step.claim.kind}" if expect == "Claim" else f"expected {expect}"
    reason = f"{what_happened(step, audit)}; {expected}: {word}"
    return Verdict(word, f"{reason} ({why})" if why else reason)


def _word(step: Step, audit: Audit, expect: Expect) -> tuple[VerdictWord, str]:
    """Apply the rules, in their order; the second value says why where the figures do not."""
    alone = audit.writers_seen == 1 and step.claim.kind == "racy" and expect == "Claim"
    may_race = (step.claim.kind == "racy" and not alone) if expect == "Claim" else expect == "Anomalous"
    anomalous = audit.final and audit.outcome == "Anomalous"
    note = ONE_WRITER if alone else ""

    if anomalous and not may_race:
        return "Refuted", note
    if doubt := _doubt(step, audit):
        return "Unknown", doubt
    if not may_race:
        return "Confirmed", note
    if not anomalous:
        return "NotReproduced", ONE_WRITER if audit.writers_seen == 1 else "no anomaly showed this time"
    if expect == "Claim" and not audit.shown.keys() & set(step.claim.anomalies):
        return "Refuted", f"claimed is {_words(step.claim)}"
    return "Confirmed", ""


def _doubt(step: Step, audit: Audit) -> str:
    """Say why nothing can be concluded; empty where something can."""
    if not audit.final:
        return "the audit is not final"
    if not audit.histories.all_complete:
        lost = "; ".join(f"generator {generator}: {why}" for generator, why in sorted(audit.histories.lost.items()))
        count = f"{audit.histories.complete} of {audit.histories.expected} histories are complete"
        return f"{count}: {lost}" if lost else count
    if audit.outcome == "Unknown":
        return audit.reason or "the audit came to no outcome"
    if len(audit.replicas_seen) < step.replicas:
        return f"only {len(audit.replicas_seen)} of {step.replicas} replicas served a request"
    if not audit.entries:
        return "nothing was written"
    return ""


def _words(claim: Claim) -> str:
    return ", ".join(kind.replace("_", " ") for kind in claim.anomalies)


def what_happened(step: Step, audit: Audit) -> str:
    """Say in words what the ledger shows: `atomic_only at 3 replicas lost 187 of 300 deposits (drift −187.00)`.

    The isolation level is told where it is not the database's default.
    """
    level = "" if step.isolation == catalog().isolations[0] else f", {step.isolation},"
    told = f"{step.strategy} at {step.replicas} replica{'s' * (step.replicas > 1)}{level} lost {_lost(step, audit)}"
    if audit.lost or audit.drift_cents:
        told += f" (drift {cents_as_text(audit.drift_cents)})"
    if others := others_as_text(audit.anomalies):
        told += f" and showed {others}"
    turned_away = {"refused": audit.refused, "in conflict": audit.conflicts}
    return told + "".join(f", {count} {how}" for how, count in turned_away.items() if count)


def _lost(step: Step, audit: Audit) -> str:
    """Say how many were lost. Each leg is lost by itself: one of a transfer's two may be, and the other one not."""
    requests = -(-audit.entries // step.legs)
    if not audit.lost:
        return f"none of {requests} {step.noun}"
    if step.legs == 1:
        return f"{audit.lost} of {requests} {step.noun}"
    return f"{audit.lost} of {audit.entries} legs of {requests} {step.noun}"


def overall(words: Iterable[VerdictWord]) -> VerdictWord:
    """Give the verdict of an experiment: that of its worst step; Unknown without steps."""
    given = set(words)
    return next((word for word in _WORST_FIRST if word in given), "Unknown")


def exit_code(words: Iterable[VerdictWord]) -> int:
    """0: all Confirmed; 1: one Refuted; else 3: one Unknown; else 1: one NotReproduced."""
    return _EXIT_CODES[overall(words)]
