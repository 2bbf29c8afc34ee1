"""The sums, and that a history whose rows cannot all be true is told apart from one that lost money."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from audit.drawn_simulations import often, simulations
from audit.simulated_bank import Leg, Simulation, Write
from racelab_bank.audit.drift import drift
from racelab_bank.audit.history import History
from racelab_bank.audit.rows import Entry, Install


def three_deposits(way: str = "locked") -> History:
    write = Write((Leg(1, 100),), way)  # type: ignore[arg-type]  # the parametrised name of a way
    return Simulation([1000]).play([write] * 3, [], workers=1).history()


@often
@given(simulations(faults=True))
def test_the_identity_holds_whatever_interleaves_and_crashes(simulation: Simulation) -> None:
    history = simulation.history()
    sums = drift(history)
    assert sums.reason is None
    assert sums.opening_cents == sum(simulation.openings.values())
    assert sums.balance_cents == sum(balance.cents for balance in simulation.balances.values())
    assert sums.ledger_total_cents == sums.opening_cents + sum(entry.amount_cents for entry in simulation.entries)
    assert sums.drift_cents == sums.balance_cents - sums.ledger_total_cents
    for one in sums.accounts:
        assert one.drift_cents == one.stale_cents + one.install_only_cents - one.entry_only_cents
    assert sums.absolute_drift_cents == sum(abs(one.drift_cents) for one in sums.accounts)


@often
@given(simulations())
def test_without_torn_halves_the_drift_is_what_the_lost_entries_would_have_added(simulation: Simulation) -> None:
    amounts = {(entry.account, entry.id): entry.amount_cents for entry in simulation.entries}
    assert drift(simulation.history()).drift_cents == -sum(amounts[victim] for victim in simulation.victims())


@pytest.mark.parametrize("way", ["locked", "computed"])
@often
@given(change=st.integers(-5, 5).filter(bool))
def test_an_amount_that_its_install_does_not_show_breaks_the_identity(way: str, change: int) -> None:
    history = three_deposits(way)
    forged = replace(history.entries[1], amount_cents=100 + change)
    sums = drift(replace(history, entries=[history.entries[0], forged, history.entries[2]]))
    assert not sums.identity_holds
    assert sums.reason is not None
    assert f"entry {forged.id}" in sums.reason


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_install_breaks_the_chain(missing: int) -> None:
    history = three_deposits()
    sums = drift(replace(history, installs=[one for one in history.installs if one.sequence != missing + 1]))
    assert not sums.identity_holds


def with_install(change: Callable[[Install], Install]) -> Callable[[History], History]:
    return lambda history: replace(history, installs=[history.installs[0], change(history.installs[1])])


def with_account(**changes: object) -> Callable[[History], History]:
    return lambda history: replace(history, accounts=[replace(history.accounts[0], **changes)])  # type: ignore[arg-type]


def with_entry(**changes: object) -> Callable[[History], History]:
    return lambda history: replace(
        history,
        entries=[*history.entries[:-1], replace(history.entries[-1], **changes)],  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (with_account(balance_cents=7), "the account says 0.07, but the last install put 13.00"),
        (with_account(head=UUID(int=99)), "which is not the last install"),
        (with_account(opening_cents=1), "but 0.01 was there before it"),
        (with_install(lambda one: replace(one, old_head=UUID(int=99))), "which is not the one before it"),
        (with_install(lambda one: replace(one, old_balance_cents=5)), "replaced 0.05, but 11.00 was there before it"),
        (with_entry(previous=UUID(int=99)), "read a balance that was never installed"),
        (with_entry(balance_before_cents=5), "but its install put 13.00"),
        (lambda history: replace(history, installs=[]), "which is not the last install|whose own install is missing"),
    ],
)
def test_each_way_in_which_rows_contradict_each_other_is_told(forge: Callable[[History], History], told: str) -> None:
    sums = drift(forge(three_deposits()))
    assert sums.reason is not None
    assert sums.reason.startswith("account 1: ")
    assert any(part in sums.reason for part in told.split("|"))


@often
@given(simulations(least=2), st.data())
def test_a_lost_install_row_never_passes_as_lost_money(simulation: Simulation, data: st.DataObject) -> None:
    assume(simulation.installs)
    gone = data.draw(st.sampled_from(simulation.installs))
    history = replace(simulation.history(), installs=[one for one in simulation.installs if one is not gone])
    assert not drift(history).identity_holds


def test_an_account_created_with_its_first_deposit_has_a_version_before_it() -> None:
    history = three_deposits("computed")
    created = replace(history.installs[0], old_head=None)
    sums = drift(replace(history, installs=[created, *history.installs[1:]]))
    assert sums.identity_holds
    assert sums.drift_cents == 0


def test_rows_of_a_foreign_account_are_refused() -> None:
    history = three_deposits()
    foreign_entry: Entry = replace(history.entries[0], account=9)
    with pytest.raises(ValueError, match=r"on account 9, which is not among the accounts given"):
        drift(replace(history, entries=[foreign_entry]))
    with pytest.raises(ValueError, match=r"install 1 is on account 9"):
        drift(replace(history, installs=[replace(history.installs[0], account=9)]))
    with pytest.raises(ValueError, match=r"two legs on account 1"):
        drift(replace(history, entries=[*history.entries, replace(history.entries[0], leg=1)]))
