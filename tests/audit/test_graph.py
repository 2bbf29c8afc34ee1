"""The dependency graph and the certificate, against an oracle that tries all serial orders on the rows themselves."""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, permutations
from random import Random
from typing import Any
from uuid import UUID
from zlib import compress

import numpy as np
import pytest
from hypothesis import given, settings

from audit.drafts import Draft
from audit.drawn_simulations import often, simulations
from audit.isolation_injections import Link, ring
from audit.quick_simulations import racing_simulation
from audit.serial_oracle import Bank, dependencies, knots, shortest_cycle
from audit.simulated_bank import Leg, Simulation, Write
from racelab_bank.audit.graph.certificate import Certificate, _sorted, certify
from racelab_bank.audit.graph.cycles import HARMLESS
from racelab_bank.audit.graph.order import ranks
from racelab_bank.audit.graph.replay import replay
from racelab_bank.audit.history import History
from racelab_bank.audit.report import findings

#: Operations in small simulations: few enough for all orders of them.
FEW = 6
#: What contradicts every serial order.
ISOLATION = {"dependency_cycle", "duplicate", "lost_update", "read_skew", "write_skew"}


def small(operations: int, seeds: range) -> Iterator[History]:
    return (racing_simulation(Random(seed), operations).history() for seed in seeds)


def ids(history: History) -> list[UUID]:
    """Return the id of each posting, by its number."""
    return [entry.id for entry in history.tables.entries.at(history.postings.first)]


def proved_order(history: History, certificate: Certificate) -> list[UUID]:
    """Return the serial order that a certificate tells, as ids of entries."""
    assert certificate.order is not None
    id_of = ids(history)
    return [id_of[posting] for posting in history.order_of_installs.decode(certificate.order)]


def performed(history: History, order: Sequence[UUID]) -> str | None:
    """Perform the operations again in this order; say what comes out otherwise, or None."""
    place = {id_: number for number, id_ in enumerate(order)}
    return replay(history, np.array([place[id_] for id_ in ids(history)], np.int64))


def check(history: History) -> Certificate:
    """Compare a certificate with what all serial orders say, and its witnesses with the naive dependencies."""
    bank, certificate = Bank(history), certify(history)
    some = next(bank.serial_orders(), None)
    assert certificate.serializable is (some is not None)
    if certificate.serializable:
        assert bank.explains(proved_order(history, certificate))
        assert performed(history, proved_order(history, certificate)) is None
        return certificate
    pairs = dependencies(history)
    groups = knots(pairs)
    assert len(groups) == sum((certificate.cycles or {}).values())
    assert sum(len(group) for group in groups) == certificate.operations_on_cycles
    for witness in certificate.witnesses:
        circle = [UUID(entry) for entry in witness["entries"]]
        assert len(circle) == len(set(circle))
        assert set(zip(circle, [*circle[1:], circle[0]], strict=True)) <= pairs
        (group,) = (group for group in groups if group >= set(circle))
        assert len(circle) == shortest_cycle(pairs, group)
        assert witness["smallest"]
        assert witness["sentence"]
    return certificate


@settings(often, max_examples=300)
@given(simulations(accounts=4, apart=True, most=FEW, plain=False))
def test_a_ledger_is_proved_exactly_when_a_serial_order_explains_it_and_refuted_by_a_true_and_smallest_cycle(
    simulation: Simulation,
) -> None:
    check(simulation.history())


def test_of_thousands_of_small_races_each_is_proved_or_refuted_as_all_serial_orders_say() -> None:
    seen: Counter[str] = Counter()
    for history in small(FEW, range(3_000)):
        certificate = check(history)
        seen[str(certificate.serializable)] += 1
        seen.update(witness["name"] for witness in certificate.witnesses)
        seen["longer"] += any(len(witness["operations"]) > 2 for witness in certificate.witnesses)
        in_order = history.order_of_installs
        seen["another order"] += certificate.order not in (None, in_order.encode(in_order.postings))
    # Nothing was proved by having looked at one sort only.
    assert min(seen["True"], seen["False"]) > 500
    assert seen["another order"] > 100
    assert seen.keys() >= {"lost_update", "write_skew", "read_skew", "circular_information_flow", "duplicate"}
    assert seen.keys() >= {"stale_guard", "interleaved_additions"}
    assert seen["longer"] > 2


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_a_ring_of_dependencies_of_any_sort_is_refuted_by_itself_and_a_row_of_them_is_proved(length: int) -> None:
    sorts: tuple[Link, ...] = ("rw", "wr", "ww")
    for seed in range(150):
        random = Random(seed)
        draft = Draft.of(racing_simulation(random, 2).history(), random)
        if not certify(draft.history).serializable:
            continue
        _, postings = ring(draft, [random.choice(sorts) for _ in range(length)], random)
        certificate = check(draft.history)
        assert certificate.serializable is False
        (witness,) = certificate.witnesses
        assert sorted(witness["operations"]) == sorted(posting.operation for posting in postings)

    for seed in range(150):
        random = Random(seed)
        draft = Draft.of(racing_simulation(random, 2).history(), random)
        if certify(draft.history).serializable:
            ring(draft, [*(random.choice(sorts) for _ in range(length - 1)), "none"], random)
            assert check(draft.history).serializable is True


def test_of_many_circles_through_the_same_operations_the_smallest_is_told() -> None:
    lengths: Counter[int] = Counter()
    for seed in range(400):
        random = Random(seed)
        pairs = [pair if random.random() < 0.5 else pair[::-1] for pair in combinations(range(6), 2)]
        chosen = random.sample(pairs, random.randint(6, 9))
        draft = Draft.of(Simulation([0]).history(), random)
        legs = Counter(later for _, later in chosen)
        operations = [draft.posting(max(1, legs[number])) for number in range(6)]
        for reader, writer in chosen:
            draft.read(operations[reader], draft.open())
            draft.write(1, of=operations[writer])
        for number in set(range(6)) - legs.keys():
            draft.open()
            draft.write(1, of=operations[number])
        lengths.update(len(witness["operations"]) for witness in check(draft.history).witnesses)
    assert min(lengths[3], lengths[4]) > 10
    assert lengths[5]


def test_leaving_off_where_an_order_has_failed_leaves_none_out() -> None:
    for history in small(4, range(300)):
        bank = Bank(history)
        assert set(bank.serial_orders()) == set(bank.all_orders())


def test_of_all_orders_those_are_performed_again_that_explain_the_ledger() -> None:
    told: Counter[bool] = Counter()
    for seed in range(800):
        simulation = racing_simulation(Random(seed), 5)
        # That there was no account yet is not a balance: it is for the graph to see.
        if simulation.surplus():
            continue
        history = simulation.history()
        bank = Bank(history)
        for order in permutations(bank.operations):
            explained = bank.explains(order)
            assert (performed(history, order) is None) == explained
            told[explained] += 1
    assert min(told.values()) > 1_000


def serializable(operations: int, seeds: range) -> Iterator[tuple[History, list[UUID]]]:
    """Yield the histories that are proved, each with its order."""
    for history in small(operations, seeds):
        certificate = certify(history)
        if certificate.serializable:
            yield history, proved_order(history, certificate)


def test_two_operations_of_which_one_depends_on_the_other_cannot_change_places() -> None:
    swapped = 0
    for history, order in serializable(20, range(300)):
        for one, other in dependencies(history):
            exchanged = {one: other, other: one}
            assert performed(history, [exchanged.get(id_, id_) for id_ in order]) is not None
            swapped += 1
    assert swapped > 500


def forged(history: History) -> Iterator[History]:
    """Yield the history with each amount, count and head that says something changed, one at a time."""
    derived = {account.id for account in history.accounts if account.derived}
    # The head before an account's first version is what that version says: nothing else tells it.
    first = {install.account: install for install in reversed(history.installs)}
    kept = ("balance_before_cents", "balance_after_cents", "amount_cents", "previous")
    summed = ("balance_before_cents", "balance_after_cents", "seen_entries")
    replaced = ("old_balance_cents", "new_balance_cents")
    saying: Sequence[tuple[str, Sequence[Any], Callable[[Any], tuple[str, ...]]]] = (
        ("accounts", history.accounts, lambda one: () if one.derived else ("opening_cents", "balance_cents")),
        ("entries", history.entries, lambda one: summed if one.account in derived else kept),
        ("installs", history.installs, lambda one: replaced if one is first[one.account] else (*replaced, "old_head")),
        ("reads", history.reads, lambda _: ("seen_head",)),
    )
    for name, rows, fields in saying:
        for at, row in enumerate(rows):
            for field in fields(row):
                value = getattr(row, field)
                if value is not None:
                    other = UUID(int=1 << 99) if isinstance(value, UUID) else value + 1
                    forgery = [*rows[:at], replace(row, **{field: other}), *rows[at + 1 :]]
                    yield replace(history, **{name: forgery})  # type: ignore[arg-type]  # the name is a field's


def test_whatever_is_forged_in_a_proved_ledger_does_not_come_out_any_more() -> None:
    forgeries = 0
    for history, order in serializable(10, range(150)):
        for changed in forged(history):
            assert performed(changed, order) is not None
            forgeries += 1
    assert forgeries > 2_000


def test_what_detectors_call_anomalous_is_refuted_and_what_is_refuted_is_anomalous_or_told_to_be_harmless() -> None:
    for history in (*small(FEW, range(1_000)), *small(25, range(500))):
        certificate = certify(history)
        found = list(findings(history, final=True))
        # One request that creates two accounts of an owner is wrong in every serial order.
        blamed = {one.kind for one in found if one.kind in ISOLATION and len(one.operations) > 1}
        if certificate.serializable:
            assert not blamed
        elif not blamed:
            assert set(certificate.cycles or {}) <= {name.value for name in HARMLESS}


def test_without_help_from_scipy_an_order_is_found_that_all_dependencies_follow() -> None:
    for history, _ in serializable(20, range(100)):
        edges = history.dependencies.edges
        rank = _sorted(edges, history.order_of_installs.rank)
        assert sorted(rank.tolist()) == list(range(len(history.postings)))
        assert (rank[edges.source] < rank[edges.target]).all()
        assert replay(history, rank) is None


@pytest.mark.parametrize("derived", [(), (1,)])
def test_whoever_waits_for_each_other_is_proved_in_the_order_of_installs_or_sums_which_takes_hardly_any_room(
    derived: tuple[int, ...],
) -> None:
    writes = [Write((Leg(1, 100),), "conditional")] * 500
    picks = [Random(7).randrange(6) for _ in range(2_000)]
    history = Simulation([0], derived=derived).play(writes, picks, workers=6).history()
    assert [entry.id for entry in history.entries] != sorted(entry.id for entry in history.entries)
    order = certify(history).order
    assert order == history.order_of_installs.encode(history.order_of_installs.postings)
    assert len(order) < 40


def three() -> History:
    return Simulation([0]).play([Write((Leg(1, 100),), "locked")] * 3, [], workers=1).history()


@pytest.mark.parametrize("serial", list(permutations(range(3))))
def test_every_order_is_read_as_it_was_written(serial: tuple[int, ...]) -> None:
    order = three().order_of_installs
    assert order.decode(order.encode(np.array(serial))).tolist() == [*serial]
    assert ranks(np.array(serial))[list(serial)].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no order", "no base64"),
        (b64encode(b"no order").decode(), "no base64"),
        (b64encode(compress(bytes(6))).decode(), "no base64"),
        (b64encode(compress(bytes(8))).decode(), "2 places, for 3 operations"),
        (b64encode(compress(np.array([0, -1, 0], "<i4").tobytes())).decode(), "each must be there once"),
        (b64encode(compress(np.array([1, 0, 0], "<i4").tobytes())).decode(), "each must be there once"),
    ],
)
def test_what_is_no_order_of_these_operations_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        three().order_of_installs.decode(text)


def test_nothing_at_all_is_serializable() -> None:
    for history in (Simulation([]).history(), Simulation([5], derived={1}).history()):
        certificate = certify(history)
        assert (certificate.serializable, certificate.operations) == (True, 0)
        assert proved_order(history, certificate) == []
        assert certificate.reason == "0 operations performed again one after the other give every recorded balance"
