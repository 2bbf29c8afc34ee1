"""Race two, at a real PostgreSQL: every strategy that serves deposits does before one's eyes what it claims."""

import threading
from collections.abc import Iterator

import pytest

from lab.programs import wait_until
from racelab_bank.auditor import auditing
from racelab_bank.claims import ISOLATIONS, Anomaly
from racelab_bank.errors import NotApplied
from racelab_bank.models import Entry, Run
from racelab_bank.page import races, racing
from racelab_bank.page.races import CannotRace
from racelab_bank.page.racing import Race
from racelab_bank.posting import Applied
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import strategies

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

DEPOSIT = scenarios()["deposit"]
CASES = [(one.name, level) for one in races.racing_strategies() for level in ISOLATIONS if level in one.claims]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every race ends by itself: none of its threads is there afterwards."""
    yield
    for race in races._races.values():
        wait_until(lambda race=race: race.over, 40)  # type: ignore[misc]
    races._races.clear()
    wait_until(lambda: not [one for one in threading.enumerate() if one.name.startswith("page page-")], 20)


def told(race: Race) -> list[tuple[str, str]]:
    return [(race.lanes[note.lane].name, note.words) for note in race.notes]


def raced(strategy: str, isolation: str = "read-committed") -> Race:
    """Press until nothing is left to be pressed, and wait for the audit."""
    race = races.start(strategy, isolation)
    while not race.both_ended:
        assert race.next_lane() is not None, told(race)
        race.step()
    wait_until(lambda: race.over, 20)
    assert race.failure is None
    return race


@pytest.mark.parametrize(("strategy", "isolation"), CASES)
def test_each_strategy_does_what_it_claims(strategy: str, isolation: str) -> None:
    claim = strategies()[strategy].claim(DEPOSIT, isolation)
    race = raced(strategy, isolation)
    story = race.story
    assert story is not None
    applied = [lane for lane in race.lanes if isinstance(lane.outcome, Applied)]
    if Anomaly.LOST_UPDATE in claim.anomalies:
        assert (story.lost, len(applied)) == (1, 2)
        assert story.drift_cents == -racing.AMOUNTS_CENTS[0]
        assert story.svg is not None
        assert "<svg" in story.svg
        assert "T1" in story.sentence
    else:
        assert (story.lost, story.drift_cents, story.svg) == (0, 0, None)
        assert story.sentence.startswith("Nothing was lost")
        assert len(applied) == (1 if claim.kind == "aborts" else 2)
        refused = [lane for lane in race.lanes if isinstance(lane.outcome, NotApplied)]
        assert len(refused) == 2 - len(applied)
    audit = auditing.audit_run(Run.objects.get(key=race.key))
    assert audit["final"]
    assert audit["lost"] == story.lost
    assert audit["outcome"] == ("Anomalous" if story.lost else "Consistent")
    assert audit["histories"] == {"expected": 1, "complete": 1, "lost": {}}
    assert race.balances[len(race.notes) - 1] == audit["balance_cents"]


def test_a_lost_update_is_read_read_write_write_one_step_at_a_time() -> None:
    race = races.start("read_modify_write", "read-committed")
    seen = []
    while not race.both_ended:
        race.step()
        seen.append((told(race)[race.fresh :], race.balances[len(race.notes) - 1]))
    assert seen == [
        ([("T1", "reads 100.00")], 10_000),
        ([("T2", "reads 100.00")], 10_000),
        ([("T1", "writes 110.00")], 11_000),
        ([("T2", "writes 150.00")], 15_000),
    ]


def test_a_row_lock_blocks_the_second_read_and_shows_it_the_new_balance() -> None:
    race = races.start("row_lock", "read-committed")
    race.step()
    race.step()
    assert [note.state for note in race.notes] == ["done", "done", "done", "waits"]
    assert told(race)[-1] == ("T2", "locks the row")
    race.step()
    assert told(race)[4:] == [
        ("T1", "writes 110.00"),
        ("T1", "COMMIT"),
        ("T2", "goes on: locks the row, reads 110.00"),
    ]
    race.step()
    assert told(race)[-2:] == [("T2", "writes 160.00"), ("T2", "COMMIT")]


def test_a_version_check_finds_no_row_and_reads_again() -> None:
    words = told(raced("version_check"))
    assert words[2:] == [
        ("T1", "writes 110.00 where version = 0: 1 row"),
        ("T2", "writes 150.00 where version = 0: 0 rows"),
        ("T2", "tries again"),
        ("T2", "reads 110.00"),
        ("T2", "writes 160.00 where version = 1: 1 row"),
    ]


def test_who_reads_nothing_says_so() -> None:
    words = told(raced("f_expression"))
    assert words[0] == ("T1", "reads nothing: stands before its write")
    assert words[-1] == ("T2", "adds +50.00 to what is there")


def test_a_race_that_is_given_up_rolls_back_and_writes_nothing() -> None:
    race = races.start("row_lock", "read-committed")
    race.step()
    race.step()
    race.give_up()
    wait_until(lambda: race.over, 20)
    assert race.failure is None
    assert race.story is not None
    assert race.story.sentence.startswith("The race was given up: T1 was not let go on, and rolled back.")
    assert told(race)[-1] == ("T2", "ROLLBACK")
    assert not Entry.objects.filter(account=race.account).exists()
    notes = len(race.notes)
    race.step()
    assert len(race.notes) == notes


def test_a_race_that_nobody_steps_gives_itself_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "PATIENCE_SECONDS", 0.1)
    race = races.start("atomic_only", "read-committed")
    race.step()
    wait_until(lambda: race.over, 20)
    assert race.story is not None
    assert race.story.lost == 0
    assert race.story.sentence.startswith("The race was given up: ")


def test_so_many_races_at_once_and_no_more() -> None:
    on = [races.start("atomic_only", "read-committed") for _ in range(races.AT_ONCE)]
    with pytest.raises(CannotRace, match="3 races are on already"):
        races.start("atomic_only", "read-committed")
    on[0].give_up()
    wait_until(lambda: on[0].over, 20)
    on.append(races.start("atomic_only", "read-committed"))
    for race in on:
        race.give_up()


@pytest.mark.parametrize(
    ("strategy", "isolation", "told"),
    [
        ("joint_read", "read-committed", "strategy: given 'joint_read', allowed advisory_lock, "),
        ("nothing", "read-committed", "strategy: given 'nothing'"),
        ("serializable_retry", "read-committed", "allowed for serializable_retry: serializable"),
        ("row_lock", "chaos", "isolation: given 'chaos', allowed for row_lock: read-committed or repeatable-read"),
    ],
)
def test_what_cannot_race_is_refused_with_what_can(strategy: str, isolation: str, told: str) -> None:
    with pytest.raises(CannotRace, match=told):
        races.start(strategy, isolation)
    assert not Run.objects.exists()
