"""Observations that nobody made: for each anomaly some that show it, and some that come near and do not."""

from collections.abc import Mapping
from dataclasses import dataclass

from racelab_bank.isolation.observation import Observation, Performed, Rows
from racelab_bank.isolation.script import START


@dataclass(frozen=True, slots=True)
class Fabricated:
    """Observations of one anomaly."""

    showing: tuple[Observation, ...]
    clean: tuple[Observation, ...]


def observed(*performed: Performed, final: Rows = START) -> Observation:
    """Put an observation together."""
    return Observation(performed, final)


def reads(transaction: str, *shown: Rows) -> tuple[Performed, ...]:
    """SELECTs, each with what it showed."""
    return tuple(Performed(transaction, "SELECT", number, rows=rows) for number, rows in enumerate(shown, 1))


def changes(transaction: str, rows: int) -> Performed:
    """Fabricate a write that changed so many rows."""
    return Performed(transaction, "UPDATE", 7, changed=rows)


def aborts(transaction: str) -> Performed:
    """Fabricate a statement that the database refused."""
    return Performed(transaction, "COMMIT", 8, sqlstate="40001", message="could not serialize access")


def read_by(first: tuple[Rows, ...], second: tuple[Rows, ...], *others: Performed, final: Rows = START) -> Observation:
    """Fabricate what T1 and T2 read, and what else happened."""
    return observed(*reads("T1", *first), *reads("T2", *second), *others, final=final)


ONE, BOTH, NOTHING = {1: 10}, {1: 10, 2: 20}, dict[int, int]()
INSERTED = {**START, 3: 30, 4: 42}

FABRICATED: Mapping[str, Fabricated] = {
    "g0": Fabricated(
        (observed(final={1: 12, 2: 21}), observed(final={1: 11, 2: 22})),
        (observed(final={1: 12, 2: 22}), observed(final={1: 11, 2: 21}), observed(final=START)),
    ),
    "g1a": Fabricated(
        (read_by((), ({1: 101, 2: 20}, BOTH)), read_by((), (BOTH, {1: 101, 2: 20}))),
        (read_by((), (BOTH, BOTH)), read_by((), ())),
    ),
    "g1b": Fabricated(
        (read_by((), ({1: 101, 2: 20}, {1: 11, 2: 20})),),
        (read_by((), (BOTH, {1: 11, 2: 20})), read_by((), (BOTH, BOTH))),
    ),
    "g1c": Fabricated(
        (read_by(({2: 22},), ({1: 11},)),),
        (read_by(({2: 22},), ({1: 10},)), read_by(({2: 20},), ({1: 11},)), read_by(({2: 22},), ())),
    ),
    "otv": Fabricated(
        (
            observed(*reads("T3", {1: 12}, {2: 19})),
            observed(*reads("T3", {1: 11}, {2: 20})),
            observed(*reads("T3", {1: 11}, {2: 19}, {2: 18}, {1: 11})),
        ),
        (
            observed(*reads("T3", {1: 11}, {2: 19}, {2: 18}, {1: 12})),
            observed(*reads("T3", {1: 11}, {2: 19}, {2: 19}, {1: 11})),
            observed(*reads("T3", {1: 10}, {2: 18})),
        ),
    ),
    "pmp": Fabricated(
        (read_by((NOTHING, {3: 30}), ()),),
        (read_by((NOTHING, NOTHING), ()), read_by(({3: 30}, {3: 30}), ()), read_by((NOTHING,), ())),
    ),
    "pmp_write": Fabricated(
        (read_by((), ({1: 20},)),),
        (read_by((), (NOTHING,)), read_by((), (), aborts("T2"))),
    ),
    "p4": Fabricated(
        (read_by((ONE,), (ONE,)),),
        (
            read_by((ONE,), (ONE,), aborts("T2")),
            read_by((ONE,), (ONE,), Performed("T1", "ROLLBACK", 3)),
            read_by((ONE,), ({1: 11},)),
            read_by(({1: 15},), (ONE,)),
        ),
    ),
    "g_single": Fabricated(
        (read_by((ONE, {2: 18}), ()), read_by(({1: 12}, {2: 20}), ())),
        (read_by((ONE, {2: 20}), ()), read_by(({1: 12}, {2: 18}), ()), read_by((ONE,), ())),
    ),
    "g_single_predicate": Fabricated(
        (read_by((BOTH, {1: 12}), ()),),
        (read_by((BOTH, NOTHING), ()), read_by(({2: 20}, {1: 12}), ())),
    ),
    "g_single_write": Fabricated(
        (read_by((ONE,), (), changes("T1", 0)),),
        (
            read_by((ONE,), (), changes("T1", 1)),
            read_by(({1: 12},), (), changes("T1", 0)),
            read_by((ONE,), (), changes("T1", 0), aborts("T1")),
            read_by((ONE,), (), aborts("T1")),
        ),
    ),
    "g2_item": Fabricated(
        (read_by((BOTH,), (BOTH,)),),
        (read_by((BOTH,), (BOTH,), aborts("T2")), read_by((BOTH,), ({1: 11, 2: 20},))),
    ),
    "g2": Fabricated(
        (read_by((NOTHING,), (NOTHING,), final=INSERTED),),
        (
            read_by((NOTHING,), (NOTHING,), aborts("T2"), final={**START, 3: 30}),
            read_by((NOTHING,), ({3: 30},), final=INSERTED),
        ),
    ),
    "g2_two_edges": Fabricated(
        (observed(*reads("T1", BOTH), *reads("T3", {1: 10, 2: 25})),),
        (
            observed(*reads("T1", BOTH), *reads("T3", {1: 10, 2: 25}), aborts("T1")),
            observed(*reads("T1", BOTH), *reads("T3", {1: 0, 2: 25})),
            observed(*reads("T1", {1: 10, 2: 25}), *reads("T3", {1: 10, 2: 25})),
        ),
    ),
}
