"""The live audit: in whatever order rows become visible, it shows a state that was, and ends as the final one."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.drawn_simulations import often, simulations
from audit.simulated_bank import OPENING_HEADS, Leg, Simulation, Write, put_back
from racelab_bank.audit.history import History
from racelab_bank.audit.live import LiveAudit
from racelab_bank.audit.live_figures import LiveFigures
from racelab_bank.audit.report import audit
from racelab_bank.audit.rows import Entry, Install


def batches(rows: Sequence[Entry | Install], random: Random, count: int) -> list[tuple[list[Entry], list[Install]]]:
    """Deal rows out at random: every row to one batch."""
    dealt: list[tuple[list[Entry], list[Install]]] = [([], []) for _ in range(count)]
    for row in random.sample(rows, len(rows)):
        entries, installs = random.choice(dealt)
        if isinstance(row, Entry):
            entries.append(row)
        else:
            installs.append(row)
    return dealt


SAME = (
    "accounts",
    "entries",
    "opening_cents",
    "ledger_total_cents",
    "balance_cents",
    "drift_cents",
    "absolute_drift_cents",
    "lost",
    "culprits",
    "visible_overdrafts",
    "hidden_overdrafts",
    "replicas_seen",
    "writers_seen",
)


def common(history: History) -> dict[str, object]:
    """What a live audit tells as well: it knows the ledger only."""
    report = audit(replace(history, operations=[]), final=True)
    anomalies = {"torn": report.anomalies["torn_write"], "duplicates": report.anomalies["duplicate"]}
    return {name: getattr(report, name) for name in SAME} | anomalies


def same_of(figures: LiveFigures, expected: dict[str, object]) -> dict[str, object]:
    return {name: getattr(figures, name) for name in expected}


@often
@given(simulations(), st.randoms(use_true_random=False), st.integers(1, 8))
def test_in_any_batches_the_end_is_the_final_audit(simulation: Simulation, random: Random, count: int) -> None:
    live = LiveAudit(simulation.opened())
    for entries, installs in batches([*simulation.entries, *simulation.installs], random, count):
        live.consume(entries, installs)
        assert live.figures().violation is None
    figures = live.figures()
    expected = common(simulation.history())
    assert same_of(figures, expected) == expected
    assert (figures.held, figures.exact) == (0, True)


@often
@given(simulations(accounts=5, plain=False), st.randoms(use_true_random=False), st.integers(1, 8))
def test_with_owners_derived_accounts_and_late_ones_the_end_is_the_final_audit(
    simulation: Simulation, random: Random, count: int
) -> None:
    late = {account.id: account for account in simulation.opened() if account.id in simulation.created}
    live = LiveAudit(account for account in simulation.opened() if account.id not in late)
    for entries, installs in batches([*simulation.entries, *simulation.installs], random, count):
        rows: list[Entry | Install] = [*entries, *installs]
        touched = {row.account for row in rows} | {account for account in late if random.random() < 0.2}
        live.add(late.pop(account) for account in sorted(touched & late.keys()))
        live.consume(entries, installs)
        assert live.figures().violation is None
    live.add(late.values())
    figures = live.figures()
    expected = common(simulation.history())
    assert same_of(figures, expected) == expected
    assert (figures.held, figures.exact) == (0, True)


@often
@given(simulations(accounts=5, plain=False, faults=True), st.randoms(use_true_random=False))
def test_torn_halves_of_accounts_of_every_sort_end_as_in_the_final_audit(
    simulation: Simulation, random: Random
) -> None:
    live = LiveAudit(simulation.opened())
    for entries, installs in batches([*simulation.entries, *simulation.installs], random, 4):
        live.consume(entries, installs)
    live.accept_torn()
    expected = common(simulation.history())
    assert same_of(live.figures(), expected) == expected
    assert (live.figures().held, live.figures().violation) == (0, None)


@often
@given(simulations(faults=True), st.randoms(use_true_random=False), st.integers(1, 8))
def test_torn_halves_are_accepted_when_asked_for_and_the_end_is_the_final_audit(
    simulation: Simulation, random: Random, count: int
) -> None:
    live = LiveAudit(simulation.opened())
    for entries, installs in batches([*simulation.entries, *simulation.installs], random, count):
        live.consume(entries, installs)
    live.accept_torn()
    figures = live.figures()
    expected = common(simulation.history())
    assert same_of(figures, expected) == expected
    assert (figures.held, figures.violation) == (0, None)


@often
@given(simulations(accounts=1), st.randoms(use_true_random=False))
def test_at_every_moment_the_figures_are_those_of_a_state_that_was(simulation: Simulation, random: Random) -> None:
    history = simulation.history()
    versions = []
    for consumed in range(len(simulation.installs) + 1):
        installs = simulation.installs[:consumed]
        written = {install.new_head for install in installs}
        head = installs[-1].new_head if installs else simulation.opened()[0].head
        balance = installs[-1].new_balance_cents if installs else simulation.openings[1]
        account = replace(history.accounts[0], head=head, balance_cents=balance)
        entries = [entry for entry in simulation.entries if entry.id in written]
        versions.append(common(History([account], entries, installs, [], history.histories)))
    live = LiveAudit(simulation.opened())
    seen = 0
    for entries, installs in batches([*simulation.entries, *simulation.installs], random, 6):
        live.consume(entries, installs)
        figures = live.figures()
        assert figures.entries >= seen
        seen = figures.entries
        assert same_of(figures, versions[seen]) == versions[seen]


@often
@given(simulations(faults=True), st.randoms(use_true_random=False))
def test_halves_that_come_after_they_were_given_up_leave_the_sums_right(simulation: Simulation, random: Random) -> None:
    live = LiveAudit(simulation.opened())
    for entries, installs in batches([*simulation.entries, *simulation.installs], random, 5):
        live.consume(entries, installs)
        live.accept_torn()
    live.accept_torn()
    figures = live.figures()
    expected = common(simulation.history())
    sums = ("entries", "ledger_total_cents", "balance_cents", "drift_cents", "absolute_drift_cents", "torn")
    assert {name: getattr(figures, name) for name in sums} == {name: expected[name] for name in sums}
    assert figures.held == 0


def test_an_install_waits_for_its_entry_and_for_the_one_before_it() -> None:
    simulation = Simulation([0]).play([Write((Leg(1, 100),), "locked")] * 2, [], workers=1)
    (first, second), (one, two) = simulation.entries, simulation.installs
    live = LiveAudit(simulation.opened())
    live.consume([second], [two])
    assert (live.figures().balance_cents, live.figures().held) == (0, 2)
    live.consume([], [one])
    assert (live.figures().balance_cents, live.figures().held) == (0, 3)
    live.consume([first], [])
    assert (live.figures().balance_cents, live.figures().held) == (200, 0)


def test_patience_is_counted_in_polls() -> None:
    write = Write((Leg(1, 100),), "locked")
    simulation = Simulation([0]).play([replace(write, fault="no entry"), write], [], workers=1)
    live = LiveAudit(simulation.opened())
    live.consume(simulation.entries, simulation.installs)
    for _ in range(3):
        live.accept_torn(polls=3)
        assert (live.figures().held, live.figures().torn) == (3, 0)
        live.consume([], [])
    live.accept_torn(polls=3)
    assert (live.figures().held, live.figures().torn, live.figures().balance_cents) == (0, 1, 200)


def test_the_count_of_the_lost_falls_when_a_branch_is_restored() -> None:
    simulation = Simulation([0])
    writes = [Write((Leg(1, amount),), "naive") for amount in (1, 10, 100)]
    simulation.play(writes, [0, 1, 0, 0, 1, 0, 0, 0, 0, 0], workers=2)
    more = simulation.installs
    live = LiveAudit(simulation.opened())
    lost = []
    for install in more:
        live.consume([entry for entry in simulation.entries if entry.id == install.new_head], [install])
        lost.append((live.figures().lost, live.figures().culprits, live.figures().drift_cents))
    assert lost == [(0, 0, 0), (1, 1, -1), (1, 2, -10)]


def test_memory_is_bounded_and_a_forgotten_head_is_told() -> None:
    simulation = Simulation([0])
    # Worker 0 reads and sleeps while the other writes a hundred times.
    writes = [Write((Leg(1, 100),), "naive")] * 101
    simulation.play(writes, [0] + [1] * 300, workers=2)
    assert simulation.entries[-1].operation == "0"
    live = LiveAudit(simulation.opened(), remembered_heads=10)
    live.consume(simulation.entries[:-1], simulation.installs[:-1])
    assert live.figures().exact
    assert len(live._memory) == 10
    assert sum(len(state.depths) for state in live._states.values()) == 10
    live.consume(simulation.entries[-1:], simulation.installs[-1:])
    figures = live.figures()
    assert (figures.exact, figures.lost, figures.drift_cents) == (False, 100, -10_000)


def test_rows_that_contradict_each_other_are_told() -> None:
    simulation = Simulation([0]).play([Write((Leg(1, 100),), "locked")], [], workers=1)
    live = LiveAudit(simulation.opened())
    live.consume(simulation.entries, [replace(simulation.installs[0], new_balance_cents=7)])
    assert live.figures().violation is not None
    assert "its install put 0.07" in (live.figures().violation or "")


def test_a_balance_changed_behind_the_ledger_is_consumed_without_an_entry() -> None:
    simulation = Simulation([0]).play([Write((Leg(1, 100),), "locked")], [], workers=1)
    (install,) = simulation.installs
    forged = Install(2, 1, install.new_head, install.new_head, 100, 5_000, 9)
    live = LiveAudit(simulation.opened())
    live.consume(simulation.entries, [install, forged])
    assert (live.figures().drift_cents, live.figures().torn, live.figures().lost) == (4_900, 1, 0)


def test_an_account_that_a_request_creates_can_be_added() -> None:
    live = LiveAudit([])
    simulation = Simulation([0]).play([Write((Leg(1, 100),), "computed")], [], workers=1)
    created = [replace(simulation.installs[0], old_head=None)]
    with pytest.raises(ValueError, match="account 1, which is not followed"):
        live.consume(simulation.entries, created)
    live.add(simulation.opened())
    live.consume(simulation.entries, created)
    assert (live.figures().balance_cents, live.figures().accounts, live.figures().held) == (100, 1, 0)


def test_an_entry_whose_install_is_held_is_not_given_up() -> None:
    simulation = Simulation([0]).play([Write((Leg(1, 100),), "locked")] * 2, [], workers=1)
    live = LiveAudit(simulation.opened())
    live.consume(simulation.entries[1:], simulation.installs[1:])
    live.accept_torn()
    assert (live.figures().torn, live.figures().held, live.figures().entries) == (0, 2, 0)


def test_an_entry_that_comes_after_its_install_was_given_up_is_not_lost() -> None:
    simulation = Simulation([0]).play([Write((Leg(1, 100),), "locked")], [], workers=1)
    live = LiveAudit(simulation.opened())
    live.consume([], simulation.installs)
    live.accept_torn()
    assert (live.figures().torn, live.figures().drift_cents) == (1, 100)
    live.consume(simulation.entries, [])
    figures = live.figures()
    assert (figures.torn, figures.drift_cents, figures.lost, figures.exact) == (0, 0, 0, False)


def test_a_head_that_is_put_back_is_replaced_a_second_time_in_the_order_of_installs() -> None:
    history = put_back()
    live = LiveAudit([replace(history.accounts[0], head=UUID(int=OPENING_HEADS + 1))])
    live.consume(history.entries, list(reversed(history.installs)))
    expected = common(history)
    assert same_of(live.figures(), expected) == expected
    assert (live.figures().lost, live.figures().torn, live.figures().held) == (1, 1, 0)


def test_an_owners_accounts_are_overdrawn_only_while_their_sum_is_too_low() -> None:
    amounts = [(1, -150), (2, 60), (2, -20)]
    simulation = Simulation([100, 0], owners={1: 7, 2: 7})
    simulation.play([Write((Leg(account, amount),), "computed") for account, amount in amounts], [], workers=1)
    live = LiveAudit(simulation.opened())
    seen = []
    for entry, install in zip(simulation.entries, simulation.installs, strict=True):
        live.consume([entry], [install])
        seen.append((live.figures().balance_cents, live.figures().visible_overdrafts))
    assert seen == [(-50, 1), (10, 0), (-10, 1)]


def test_a_second_account_makes_up_for_the_first_from_the_moment_it_is_followed() -> None:
    simulation = Simulation([100, 500], owners={1: 7, 2: 7})
    simulation.play([Write((Leg(1, -150),), "computed")], [], workers=1)
    first, second = simulation.opened()
    live = LiveAudit([first])
    live.consume(simulation.entries, simulation.installs)
    assert live.figures().visible_overdrafts == 1
    live.add([second])
    assert live.figures().visible_overdrafts == 0


def test_an_entry_of_a_derived_account_counts_at_once_and_awaits_nothing() -> None:
    simulation = Simulation([0, 100], derived={2})
    simulation.play([Write((Leg(2, -250),), "computed"), Write((Leg(2, 200),), "computed")], [], workers=1)
    live = LiveAudit(simulation.opened())
    seen = []
    for entry in simulation.entries:
        live.consume([entry], [])
        live.accept_torn()
        figures = live.figures()
        assert (figures.held, figures.torn, figures.lost, figures.drift_cents) == (0, 0, 0, 0)
        seen.append((figures.balance_cents, figures.visible_overdrafts))
    assert seen == [(-150, 1), (50, 0)]


def test_a_balance_put_on_a_derived_account_is_a_contradiction_live_and_finally() -> None:
    simulation = Simulation([0], derived={1})
    simulation.play([Write((Leg(1, 50),), "computed")], [], workers=1)
    forged = Install(1, 1, simulation.opened()[0].head, UUID(int=99), 0, 50, 1)
    live = LiveAudit(simulation.opened())
    live.consume(simulation.entries, [forged])
    told = "account 1: it keeps no balance of its own, but install 1 put 0.50 on it"
    assert live.figures().violation == told
    assert told in audit(replace(simulation.history(), installs=[forged]), final=True).reason


def test_duplicates_are_counted_as_they_are_created() -> None:
    simulation = Simulation([0, 0, 0, 0], owners={2: 7, 3: 7, 4: 7}, created={2, 3, 4})
    simulation.play([Write((Leg(account, 100),), "locked") for account in (3, 2, 4)], [], workers=1)
    live = LiveAudit(simulation.opened())
    seen = []
    for entry, install in zip(simulation.entries, simulation.installs, strict=True):
        live.consume([entry], [install])
        seen.append(live.figures().duplicates)
    assert seen == [0, 1, 2]
