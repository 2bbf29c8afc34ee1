"""Sums over time: against a replay, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from audit.drawn_simulations import often, simulations
from audit.simulated_bank import Leg, Simulation, Write
from racelab_bank.audit.drift import drift
from racelab_bank.audit.report import audit
from racelab_bank.audit.rows import Histories
from racelab_bank.audit.timeline import timeline

if TYPE_CHECKING:
    from racelab_bank.audit.history import History

Change = tuple[int, int, int, bool]  # when, of the balance, of the ledger, stale


def changes(history: History, account: int) -> list[Change]:
    """An account's changes, each install with its entry's, in version order, and then what is left of the entries."""
    entries = {one.id: one for one in history.entries if one.account == account}
    derived = next(one.derived for one in history.accounts if one.id == account)
    now = min((one.written_at_microseconds for one in history.entries), default=0)
    found: list[Change] = []
    for install in sorted(history.installs, key=lambda one: one.sequence):
        if install.account == account:
            entry = entries.pop(install.new_head, None)
            now = now if entry is None else max(now, entry.written_at_microseconds)
            moved = install.new_balance_cents - install.old_balance_cents
            stale = entry is not None and entry.previous not in (None, install.old_head)
            found.append((now, moved, 0 if entry is None else entry.amount_cents, stale))
    for entry in entries.values():
        amount = entry.amount_cents
        found.append((entry.written_at_microseconds, amount if derived else 0, amount, False))
    return found


def replayed(history: History, until: int) -> tuple[int, int, int, int]:
    """Ledger, balance, |drift| and stale installs by then."""
    ledger = balance = absolute = stale = 0
    for account in history.accounts:
        done = [one for one in changes(history, account.id) if one[0] <= until]
        own_ledger = account.opening_cents + sum(one[2] for one in done)
        own_balance = account.opening_cents + sum(one[1] for one in done)
        ledger, balance = ledger + own_ledger, balance + own_balance
        absolute += abs(own_balance - own_ledger)
        stale += sum(one[3] for one in done)
    return ledger, balance, absolute, stale


@often
@given(simulations(faults=True), st.integers(2, 9))
def test_every_point_is_what_a_replay_has_by_then(simulation: Simulation, points: int) -> None:
    history = simulation.history()
    found = timeline(history, points)
    assert len(found) <= points
    times = [time for account in history.accounts for time, *_ in changes(history, account.id)]
    for point in found:
        until = min(times) + round(point.at_milliseconds * 1000)
        sums = (point.ledger_total_cents, point.balance_cents, point.absolute_drift_cents, point.stale_installs)
        assert sums == replayed(history, until)


@often
@given(simulations(faults=True))
def test_it_begins_at_0_and_ends_with_the_sums_of_the_audit(simulation: Simulation) -> None:
    history = simulation.history()
    found = timeline(history)
    assert bool(found) == bool(history.entries or history.installs)
    if found:
        end = drift(history)
        assert found[0].at_milliseconds == 0
        last = found[-1]
        assert (last.ledger_total_cents, last.balance_cents) == (end.ledger_total_cents, end.balance_cents)
        assert last.absolute_drift_cents == end.absolute_drift_cents


def test_an_install_that_was_noted_with_an_earlier_time_than_its_predecessor_comes_after_it() -> None:
    history = Simulation([1000]).play([Write((Leg(1, 100),), "locked")] * 3, [], workers=1).history()
    times = [5_000, 9_000, 2_000]
    entries = [replace(one, written_at_microseconds=at) for one, at in zip(history.entries, times, strict=True)]
    found = timeline(replace(history, entries=entries), 1_000)
    assert {point.absolute_drift_cents for point in found} == {0}
    assert [point.balance_cents for point in found if point.balance_cents == point.ledger_total_cents][-1] == 1300


def test_times_and_amounts_of_any_size_do_not_overflow() -> None:
    huge = 2**62
    history = Simulation([huge]).play([Write((Leg(1, huge),), "locked")] * 3, [], workers=1).history()
    entries = [
        replace(one, written_at_microseconds=at)
        for one, at in zip(history.entries, [2**63 - 1, -(2**63), 0], strict=True)
    ]
    [*_, last] = timeline(replace(history, entries=entries))
    assert (last.balance_cents, last.ledger_total_cents) == (4 * huge, 4 * huge)


def test_only_a_final_audit_has_one() -> None:
    history = Simulation([1000]).play([Write((Leg(1, 100),), "locked")], [], workers=1).history()
    history = replace(history, histories=Histories(expected=0, complete=frozenset(), lost={}))
    assert audit(history, final=False).to_json("k")["timeline"] is None
    assert audit(history, final=True).to_json("k")["timeline"] == [
        {
            "at_milliseconds": 0.0,
            "ledger_total_cents": 1100,
            "balance_cents": 1100,
            "absolute_drift_cents": 0,
            "stale_installs": 0,
        }
    ]
