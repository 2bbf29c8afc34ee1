"""Which runs are watched, what is asked of them again, and how they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from brain.samples import anomalous, audit
from racelab_operator.observed import Run
from racelab_operator.watched import (
    MOST_CLOSED,
    PLAYGROUND,
    Changes,
    Selection,
    Watched,
    line_of,
    table_of,
    unknown_experiment,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(key: str, state: str = "open", **labels: str) -> Run:
    """Give a run of the experiment that its key names: NAME-UID-INDEX."""
    name, uid, index = key.split("-") if "-" in key else (key, "", "")
    told = {"experiment": name, "step": f"step-{index}"} if uid else {}
    return Run.model_validate({"key": key, "state": state, "generators": int(bool(uid)), "labels": told | labels})


def look(watched: Watched, *runs: Run, **verdicts: str) -> list[str]:
    """Look at runs, the oldest first, and answer what is asked: closed ones have a final audit."""
    states = {one.key: one.state for one in runs}
    asked = watched.look(runs[::-1], {key.replace("_", "-"): word for key, word in verdicts.items()})
    for key in asked:
        watched.audited(key, audit(run=key) if states[key] == "closed" else audit(run=key, final=False))
    return asked


HOUSE = run(PLAYGROUND)


def test_open_runs_are_asked_again_and_ended_ones_once_they_are_final_never() -> None:
    watched = Watched(Selection())
    assert look(watched, HOUSE, run("a-x-0")) == [PLAYGROUND, "a-x-0"]
    assert look(watched, HOUSE, run("a-x-0", "closed"), run("a-x-1")) == [PLAYGROUND, "a-x-1", "a-x-0"]
    for _ in range(3):
        assert look(watched, HOUSE, run("a-x-0", "closed"), run("a-x-1")) == [PLAYGROUND, "a-x-1"]


def test_a_run_that_is_closed_but_not_settled_is_asked_until_it_is() -> None:
    watched = Watched(Selection())
    closed = run("a-x-0", "closed")
    for _ in range(2):
        assert watched.look([closed], {}) == ["a-x-0"]
        watched.audited("a-x-0", audit(final=False))
        assert watched.seen["a-x-0"].word == "closed"
    assert look(watched, closed) == ["a-x-0"]
    assert watched.seen["a-x-0"].word == "Consistent"
    assert look(watched, closed) == []


def test_of_what_had_ended_before_only_the_newest_performance_is_watched() -> None:
    watched = Watched(Selection())
    before = [run("a-x-0", "closed"), run("a-y-0", "closed"), run("a-y-1", "closed")]
    look(watched, HOUSE, *before)
    assert list(watched.seen) == [PLAYGROUND, "a-y-0", "a-y-1"]
    look(watched, HOUSE, *before, run("b-z-0"))
    assert list(watched.seen) == [PLAYGROUND, "a-y-0", "a-y-1", "b-z-0"]


def test_however_many_had_ended_a_look_asks_for_few_of_them_and_the_newest_first() -> None:
    watched = Watched(Selection())
    runs = [run(f"a-x-{index}", "closed") for index in range(20)]
    asked = []
    while batch := look(watched, *runs):
        assert len(batch) <= MOST_CLOSED
        asked += batch
    assert asked == [one.key for one in runs[::-1]]


def test_runs_that_have_left_the_list_are_forgotten() -> None:
    watched = Watched(Selection())
    for index in range(50):
        look(watched, run(f"a-x-{index}"))
    assert list(watched.seen) == list(watched._traces) == ["a-x-49"]


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(run="b-x-0"), ["b-x-0"]),
        (Selection(experiment="a"), ["a-x-0"]),
        (Selection(), [PLAYGROUND, "a-x-0", "b-x-0"]),
    ],
)
def test_one_run_or_one_experiment_may_be_chosen(selection: Selection, chosen: list[str]) -> None:
    watched = Watched(selection)
    look(watched, HOUSE, run("a-x-0"), run("b-x-0"))
    assert list(watched.seen) == chosen


def test_a_verdict_is_told_where_it_is_known_else_the_outcome() -> None:
    watched = Watched(Selection())
    look(watched, run("a-x-0", "closed"), run("a-x-1", "closed"), a_x_1="Refuted")
    assert [one.word for one in watched.seen.values()] == ["Consistent", "Refuted"]


def test_each_change_is_told_once() -> None:
    watched, changes = Watched(Selection()), Changes()

    def told(entries: int, state: str = "open") -> list[str]:
        watched.look([run("a-x-0", state)], {})
        watched.audited("a-x-0", audit(entries=entries, final=state == "closed"))
        return [line_of(one) for one in changes.of(watched)]

    assert told(1) == ["a-x-0: 1 entries · drift 0.00 · 0 lost · 0 stale installs · open"]
    assert told(1) == []
    assert len(told(2)) == 1
    assert told(2, "closed") == ["a-x-0: 2 entries · drift 0.00 · 0 lost · 0 stale installs · Consistent"]
    assert told(2, "closed") == []


def lines(watched: Watched, width: int = 120, notes: Sequence[str] = (), **options: Any) -> list[str]:
    from brain.test_progress import drawn

    return drawn(table_of("lab in home", watched, notes, **options), width)


def test_the_table_names_steps_and_their_experiment_where_there_are_several() -> None:
    watched = Watched(Selection())
    look(watched, HOUSE, run("a-x-0"))
    assert lines(watched)[0] == "lab in home · a"
    assert [line.split()[1] for line in lines(watched)[2:4]] == ["playground", "step-0"]
    look(watched, HOUSE, run("a-x-0"), run("b-x-0"))
    assert lines(watched)[0] == "lab in home"
    assert [line[2:10].strip() for line in lines(watched)[2:5]] == ["playgrou", "a step-0", "b step-0"]


def test_a_drift_is_drawn_as_it_grows_and_told_with_the_key_that_racelab_drift_takes() -> None:
    watched = Watched(Selection())
    for cents in (0, 100, 200):
        watched.look([run("a-x-0")], {})
        watched.audited("a-x-0", anomalous(final=False, absolute_drift_cents=cents, drift_cents=-cents))
    table = lines(watched)
    assert "▁▅█" in table[2].replace("▄", "▅")
    assert table[3] == "a-x-0: 300 entries · drift −2.00 · 187 lost · 90 stale installs · open"


def test_notes_come_last_and_no_run_yet_is_told() -> None:
    assert lines(Watched(Selection()), notes=["asking on"])[1:] == [
        "no run yet: waiting for the first one",
        "asking on",
    ]


def test_a_text_that_would_steer_the_terminal_is_shown_harmless() -> None:
    watched = Watched(Selection())
    look(watched, run("a-x-0", step="\x1b[2Jevil\nline", experiment="\x1b]0;title\x07"))
    table = "\n".join(lines(watched))
    assert "\ufffd[2Jevil\ufffdline" in table
    assert "\x1b]0" not in table


def test_what_is_not_known_is_null() -> None:
    watched = Watched(Selection())
    watched.look([run("a-x-0")], {})
    value = value_of(watched.seen["a-x-0"])
    assert (value["run"], value["experiment"], value["step"], value["state"]) == ("a-x-0", "a", "step-0", "open")
    assert {name for name, told in value.items() if told is None} == {
        "outcome", "verdict", "entries", "ledger_total_cents", "balance_cents", "drift_cents", "absolute_drift_cents",
        "lost", "stale_installs",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "hint"),
    [("quickstrat", "did you mean quickstart?"), ("zzz", "there are quickstart, other"), ("", "there are quick")],
)
def test_an_experiment_that_is_not_there_is_told_with_those_that_are(name: str, hint: str) -> None:
    runs = [HOUSE, run("quickstart-x-0"), run("other-x-0"), run("other-x-1")]
    assert hint in unknown_experiment(name, runs)
    assert unknown_experiment("a", [HOUSE]).endswith("there are none")
