"""Victims and culprits, against an oracle that knows what every balance is made of."""

from dataclasses import replace
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from audit.drawn_simulations import CLEAN_WAYS, often, simulations
from audit.simulated_bank import Leg, Simulation, Write, put_back
from racelab_bank.audit.detectors.lost_update import LostUpdate, lost_updates
from racelab_bank.audit.detectors.stale_install import StaleInstall, stale_installs
from racelab_bank.audit.history import History
from racelab_bank.audit.report import audit


def deposit(amount_cents: int = 100) -> Write:
    return Write((Leg(1, amount_cents),), "naive")


def lost(history: History) -> list[str]:
    return [finding.victim.operation for finding in lost_updates.find(history) if isinstance(finding, LostUpdate)]


def culprits(history: History) -> list[StaleInstall]:
    return [finding for finding in stale_installs.find(history) if isinstance(finding, StaleInstall)]


def test_two_writers_from_the_same_read_lose_the_first() -> None:
    # Each pick steps one of the two writers in flight: both read, then the first writes, then the second.
    history = Simulation([1000]).play([deposit(100), deposit(50)], [0, 1, 0, 0, 0], workers=2).history()
    assert lost(history) == ["0"]
    (finding,) = lost_updates.find(history)
    assert finding.sentence == "operation 0 (+1.00) was lost: operation 1 on bank-1 had read the balance before it"
    (culprit,) = culprits(history)
    assert [entry.operation for entry in culprit.overwrote] == ["0"]
    assert culprit.sentence == (
        "operation 1 (+0.50) on bank-1 wrote over 1 operation that it had not read: the first is operation 0"
    )


def test_a_stale_writer_restores_the_branch_that_was_overwritten() -> None:
    simulation = Simulation([0])
    # 0 and 1 read the opening; 0 writes; 2 reads what 0 wrote; 1 writes over 0; 2 writes over 1 and brings 0 back.
    simulation.play([deposit(1), deposit(10), deposit(100)], [0, 1, 0, 0, 1, 0, 0, 0, 0, 0], workers=2)
    history = simulation.history()
    assert [install.new_head.int for install in history.installs] == [1, 2, 3]
    assert history.entries[-1].previous == UUID(int=1)
    assert lost(history) == ["1"]
    overwrote = [[entry.operation for entry in culprit.overwrote] for culprit in culprits(history)]
    assert overwrote == [[], ["1"]]
    assert culprits(history)[0].sentence.endswith("nothing that counts was lost by it")
    assert audit(history, final=True).drift_cents == -10


@often
@given(simulations())
def test_victims_are_the_entries_that_no_balance_is_made_of(simulation: Simulation) -> None:
    found = [(finding.account, finding.entries[0].id) for finding in lost_updates.find(simulation.history())]
    assert len(found) == len(set(found))
    assert set(found) == simulation.victims()


@often
@given(simulations(transfers=False))
def test_culprits_are_the_writers_whose_read_was_old_and_they_overwrote_only_victims(simulation: Simulation) -> None:
    history = simulation.history()
    victims = {entry for _, entry in simulation.victims()}
    found = {one.culprit.id: {entry.id for entry in one.overwrote} for one in culprits(history)}
    assert found == {culprit: between & victims for culprit, between in simulation.truth.overwritten.items()}


@often
@given(simulations())
def test_every_victim_names_a_culprit_that_overwrote_it(simulation: Simulation) -> None:
    history = simulation.history()
    overwrote = {(one.account, one.culprit.id): {entry.id for entry in one.overwrote} for one in culprits(history)}
    for finding in lost_updates.find(history):
        assert isinstance(finding, LostUpdate)
        assert finding.culprit is not None
        assert finding.victim.id in overwrote[finding.account, finding.culprit.id]


@often
@given(simulations(faults=True))
def test_torn_halves_on_one_account_do_not_hide_victims_on_another(simulation: Simulation) -> None:
    torn = simulation.truth.torn_accounts
    found = {(one.account, one.entries[0].id) for one in lost_updates.find(simulation.history())}
    assert {one for one in found if one[0] not in torn} == {one for one in simulation.victims() if one[0] not in torn}


@often
@given(simulations(ways=CLEAN_WAYS))
def test_writers_that_lock_or_let_the_database_add_lose_nothing(simulation: Simulation) -> None:
    assert not list(lost_updates.find(simulation.history()))
    assert not list(stale_installs.find(simulation.history()))


def test_who_is_lost_to_a_balance_that_was_put_back_is_told_without_a_culprit() -> None:
    (finding,) = lost_updates.find(put_back())
    assert finding.sentence == ("operation 1 (+1.00) was lost: a write without an entry put back the balance before it")
    assert audit(put_back(), final=True).anomalies["torn_write"] == 1


@often
@given(simulations(faults=True), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(simulation: Simulation, random: Random) -> None:
    history = simulation.history()
    shuffled = replace(
        history,
        entries=random.sample(history.entries, len(history.entries)),
        installs=random.sample(history.installs, len(history.installs)),
    )
    assert audit(shuffled, final=True) == audit(history, final=True)
