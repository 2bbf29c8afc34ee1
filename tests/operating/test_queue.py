"""One experiment at a time has the bank."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from operating.samples import race
from racelab_operator.platforms.kubernetes.queue import behind

HAS_THE_BANK = {"progress": {"stage": "load", "step": 0}}
FINISHED = {"completionTime": "2026-01-03T00:00:00Z", "progress": {"stage": "report"}}


def test_alone_it_is_everybodys_turn() -> None:
    assert behind("a", [race("a")]) is None


def test_the_older_one_comes_first_and_the_name_decides_where_both_are_as_old() -> None:
    races = [race("a", created="2026-01-02T00:00:00Z"), race("b", created="2026-01-01T00:00:00Z")]
    assert behind("b", races) is None
    assert behind("a", races) == "b, which comes first"
    assert behind("b", [race("a"), race("b")]) == "a, which comes first"


def test_whoever_has_the_bank_keeps_it_even_from_an_older_one() -> None:
    races = [race("old"), race("new", created="2026-02-01T00:00:00Z", status=HAS_THE_BANK)]
    assert behind("old", races) == "new, which has the bank"
    assert behind("new", races) is None


def test_who_has_finished_or_is_suspended_or_is_about_to_go_is_not_waited_for() -> None:
    suspended = race("b", spec={"suspend": True})
    assert behind("z", [race("a", status=FINISHED), suspended, race("c", going=True), race("z")]) is None


def test_who_was_given_up_before_it_began_does_not_have_the_bank() -> None:
    given_up = race("a", created="2026-02-01T00:00:00Z", status={"progress": {"stage": "report"}})
    assert behind("z", [given_up, race("z")]) is None


def test_who_is_being_deleted_or_suspended_is_waited_for_while_it_has_the_bank() -> None:
    going = race("a", going=True, status=HAS_THE_BANK)
    assert behind("z", [going, race("z")]) == "a, which has the bank"
    held = race("b", spec={"suspend": True}, status=HAS_THE_BANK)
    assert behind("z", [held, race("z")]) == "b, which has the bank"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
            st.sampled_from([None, {"progress": {"stage": "spec"}}, FINISHED]),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_while_nobody_has_the_bank_exactly_one_of_those_who_wait_may_take_it(rows: list[Any]) -> None:
    races = []
    for number, (created, status, suspended, going) in enumerate(rows):
        parts = {"status": status} if status else {}
        races.append(race(f"race-{number}", created=created, going=going, spec={"suspend": suspended}, **parts))
    waiting = [
        one["metadata"]["name"]
        for one, (_, status, suspended, going) in zip(races, rows, strict=True)
        if status is not FINISHED and not suspended and not going
    ]
    assert sum(behind(name, races) is None for name in waiting) == min(1, len(waiting))
