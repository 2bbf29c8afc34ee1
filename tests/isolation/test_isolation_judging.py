"""Judgements are functions of what was observed: each finds its anomaly where it is, and is silent where it is not."""

import pytest

from isolation.fabricated import FABRICATED, aborts, observed, reads
from racelab_bank.isolation.anomalies import IsolationAnomaly, anomalies
from racelab_bank.isolation.notation import sentence, words
from racelab_bank.isolation.observation import Performed
from racelab_bank.isolation.outcome import Outcome, Shown, Snapshot, aborted, blocked, how_prevented
from racelab_bank.isolation.script import COMMIT, ROLLBACK, T1, T2, Step, script

EACH = pytest.mark.parametrize("anomaly", anomalies().values(), ids=anomalies())


def test_there_are_fabricated_observations_of_every_anomaly() -> None:
    assert FABRICATED.keys() == anomalies().keys()


@EACH
def test_it_is_found_where_it_is(anomaly: IsolationAnomaly) -> None:
    for observation in FABRICATED[anomaly.name].showing:
        assert anomaly.outcome(observation) == Shown, observation


@EACH
def test_it_is_not_found_where_it_is_not(anomaly: IsolationAnomaly) -> None:
    for observation in FABRICATED[anomaly.name].clean:
        assert anomaly.outcome(observation) != Shown, observation


WAITED = Performed("T2", "UPDATE", 1, blocked_by="T1", went_on_after=0)


@pytest.mark.parametrize(
    ("performed", "how"),
    [
        ((), Snapshot),
        (reads("T2", {1: 10}), Snapshot),
        ((WAITED,), blocked("T2", 1)),
        ((WAITED, aborts("T2")), aborted("T2", 8)),
        ((Performed("T1", "UPDATE", 2, sqlstate="40P01"), aborts("T2")), aborted("T1", 2, "40P01")),
    ],
)
def test_the_way_of_preventing_is_what_the_database_did_to_the_transactions(
    performed: tuple[Performed, ...], how: Outcome
) -> None:
    assert how_prevented(observed(*performed)) == how


SCRIPT = script(T1("UPDATE test SET value = 1"), T1(COMMIT), T2("DELETE FROM test"), T2(ROLLBACK))


@pytest.mark.parametrize(
    ("outcome", "table", "text"),
    [
        (Shown, "shown", "**shown**"),
        (Snapshot, "snapshot", "prevented by what the statements see in their snapshots"),
        (blocked("T2", 1), "T2 waits", "prevented, T2 waits at `DELETE FROM test`"),
        (aborted("T1", 2), "40001 at T1's COMMIT", "prevented, T1 is aborted with 40001 at `COMMIT`"),
    ],
)
def test_outcomes_in_words(outcome: Outcome, table: str, text: str) -> None:
    assert words(outcome, SCRIPT) == table
    assert sentence(outcome, SCRIPT) == text


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ((T1("SELECT 1"),), r"T1: given \['SELECT 1'\], allowed one COMMIT or ROLLBACK, as its last step"),
        ((T1(COMMIT), T1("SELECT 1"), T1(COMMIT)), "allowed one COMMIT or ROLLBACK"),
        ((Step("T4", COMMIT),), "transaction: given T4, allowed T1, T2, T3"),
    ],
)
def test_a_script_that_cannot_be_performed_is_told(steps: tuple[Step, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        script(*steps)
