"""What would have prevented an anomaly is told of the strategies that claim to, in their own words, at its place."""

from __future__ import annotations

from dataclasses import replace

from audit.interleaved import one, two_deposits
from audit.simulated_bank import Leg, Simulation, Write
from racelab_bank.audit.interleaving import Interleaving, Remedies, Remedy, interleavings
from racelab_bank.prevention import BLOCKS, CLAIMS_ONLY, NEVER_WAITS, Prevention

READ, REPEATABLE, SERIALIZABLE = "read-committed", "repeatable-read", "serializable"
LOSES = frozenset({"lost_update"})
ADDS = Prevention("write", "adds {late} to {early}")


def explained(*known: Remedy, kind: str = "lost_update", isolation: str = READ) -> Interleaving:
    """Explain two deposits of the strategy `naive`, of which the first is lost."""
    (found,) = interleavings(two_deposits(), remedies=Remedies(isolation, {kind: known}))
    return found


def told(drawn: Interleaving) -> list[str]:
    return [reason.words for reason in drawn.reasons]


def test_strategies_that_would_have_done_the_same_are_named_together_at_the_step_in_question() -> None:
    drawn = explained(
        Remedy("adding", READ, ADDS), Remedy("one_lock", READ, BLOCKS), Remedy("other_lock", READ, BLOCKS)
    )
    assert told(drawn) == [
        "one_lock or other_lock would have BLOCKED operation 1's read here until operation 0 had committed",
        "adding adds operation 1 to operation 0",
    ]
    places = [drawn.events[reason.event or 0] for reason in drawn.reasons]
    assert [(place.lane, place.kind) for place in places] == [(1, "read"), (1, "write")]


def test_a_strategy_that_may_show_it_is_not_named_and_one_that_shows_something_else_says_so() -> None:
    overdraws = frozenset({"visible_overdraft"})
    drawn = explained(
        Remedy("careless", READ, ADDS, LOSES), Remedy("overdrawing", READ, ADDS, overdraws), Remedy("good", READ, ADDS)
    )
    assert told(drawn) == [
        "good adds operation 1 to operation 0",
        "overdrawing adds operation 1 to operation 0, though it may show visible overdrafts",
    ]


def test_its_own_strategy_is_named_at_the_levels_at_which_the_database_would_have_aborted_it() -> None:
    drawn = explained(
        Remedy("naive", READ, ADDS, LOSES), Remedy("naive", REPEATABLE, None), Remedy("naive", SERIALIZABLE, None)
    )
    assert told(drawn) == [
        "naive at repeatable-read or serializable would have let the database abort operation 1's write here (40001)"
    ]


def test_its_own_strategy_is_not_named_at_the_level_at_which_it_has_just_failed() -> None:
    drawn = explained(Remedy("naive", READ, BLOCKS), Remedy("good", READ, ADDS))
    assert told(drawn) == ["good adds operation 1 to operation 0"]


def test_a_strategy_that_serves_another_level_only_is_named_with_it() -> None:
    drawn = explained(Remedy("retrying", SERIALIZABLE, ADDS), Remedy("refusing", READ, NEVER_WAITS))
    assert told(drawn) == [
        "retrying at serializable adds operation 1 to operation 0",
        "refusing would have refused operation 1 here at once: operation 0 held the row (55P03)",
    ]
    (only,) = told(explained(Remedy("locking", READ, BLOCKS), Remedy("locking", SERIALIZABLE, None)))
    assert only.startswith("locking would have BLOCKED")


def test_five_ways_and_a_few_names_of_each_are_enough() -> None:
    ways = [Remedy(f"way_{number}", READ, Prevention("write", f"way {number}")) for number in range(9)]
    assert len(told(explained(*ways))) == 5
    (words,) = told(explained(*(Remedy(f"lock_{number}", READ, ADDS) for number in range(9))))
    assert words.startswith("lock_0, lock_1, lock_2, lock_3 or 5 others adds")


def test_a_strategy_that_does_not_say_how_is_named_all_the_same_but_at_no_place() -> None:
    (reason,) = explained(Remedy("newcomer", READ, CLAIMS_ONLY)).reasons
    assert (reason.words, reason.event) == ("newcomer claims that this does not happen with it", None)


def test_without_strategies_it_is_told_of_none_in_particular() -> None:
    drawn = one(two_deposits())
    assert [words.split(" would")[0] for words in told(drawn)] == [
        "a lock before the read",
        "an update that the database computes",
        "a comparison of versions",
    ]
    assert drawn.reasons == explained(kind="duplicate").reasons


def test_an_early_check_is_asked_about_as_the_overdraft_that_it_leads_to() -> None:
    writes = [Write((Leg(1, -800),), "checked"), Write((Leg(1, -900),), "checked")]
    history = Simulation([1_000]).play(writes, [0, 1, 0, 0, 0], workers=2).history()
    known = Remedies(READ, {"visible_overdraft": (Remedy("locking", READ, BLOCKS),)})
    (drawn,) = interleavings(history, remedies=known)
    assert drawn.reason == ("locking would have BLOCKED operation 1's read here until operation 0 had committed.")


def test_braces_in_a_key_stay_what_they_are() -> None:
    history = two_deposits()
    first, second = history.entries
    braced = replace(
        history, entries=[replace(first, operation="{late}"), replace(second, operation="{0}")], operations=[]
    )
    (drawn,) = interleavings(braced, remedies=Remedies(READ, {"lost_update": (Remedy("good", READ, ADDS),)}))
    assert told(drawn) == ["good adds operation {0} to operation {late}"]
