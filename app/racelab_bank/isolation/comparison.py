"""All that was observed, as a table, and where it differs from what is expected of PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass

from racelab_bank.isolation.anomalies import IsolationAnomaly, anomalies
from racelab_bank.isolation.notation import words
from racelab_bank.isolation.observation import Observation, Observations
from racelab_bank.isolation.outcome import Outcome
from racelab_bank.isolation.script import LEVELS


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell in which the database did not behave as expected."""

    anomaly: IsolationAnomaly
    level: str
    expected: Outcome
    observed: Outcome
    observation: Observation

    def __str__(self) -> str:
        script = self.anomaly.script
        return (
            f"{self.anomaly.symbol} {self.anomaly.title} at {self.level}: expected {words(self.expected, script)}, "
            f"observed {words(self.observed, script)}"
        )


def differences(observations: Observations) -> Iterator[Difference]:
    """Yield every cell whose outcome is not the expected one."""
    for name, one in anomalies().items():
        for level in LEVELS:
            observation = observations[name][level]
            outcome = one.outcome(observation)
            if outcome != one.expected[level]:
                yield Difference(one, level, one.expected[level], outcome, observation)


def table(observations: Observations) -> str:
    """Return what was observed as plain text: anomalies down, levels across."""
    rows: list[tuple[str, ...]] = [("", "anomaly", *LEVELS)]
    for name, one in anomalies().items():
        cells = (words(one.outcome(observations[name][level]), one.script) for level in LEVELS)
        rows.append((one.symbol, one.title, *cells))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
