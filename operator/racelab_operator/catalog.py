"""What the bank and the load generator offer: scenarios, strategies, their claims, arrivals.

The programs never import each other, so this is read from `catalog.json`, which `make generate` writes from
`racelab-bank catalog` and `racelab-load catalog`.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

ClaimKind = Literal["safe", "racy", "aborts"]
Other = Literal["none", "random", "pair", "swap"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Claim(_Part):
    """What a strategy says of itself for a scenario and an isolation level.

    `safe`: no anomaly. `racy`: these anomalies may show. `aborts`: no anomaly, since some operations are refused.
    """

    kind: ClaimKind
    anomalies: tuple[str, ...] = ()


class Scenario(_Part):
    """What a request does to the accounts, and with which values a run of it opens.

    `noun`: what requests are called in sentences, in the plural. `other`: how a request's second account is chosen.
    `accounts`: the fewest that work. `legs`: how many of them a request writes. An opening, minimum or price of None:
    the scenario does not take it.
    """

    name: str
    description: str
    noun: str
    form: str
    target: str
    other: Other
    accounts: int = Field(ge=1)
    legs: int = Field(ge=1)
    opening_cents: int | None
    opening_percent_of_load: int | None
    minimum_cents: int | None
    price_cents: int | None
    anomalies: tuple[str, ...]


class Strategy(_Part):
    """A way to read, change and write a balance; `claims` by scenario, then by isolation level."""

    name: str
    description: str
    transaction: str
    claims: dict[str, dict[str, Claim]]


class Arrival(_Part):
    """How the requests of a load arrive."""

    name: str
    description: str


class _Bank(_Part):
    isolations: tuple[str, ...]
    maximum_window_milliseconds: int
    scenarios: tuple[Scenario, ...]
    strategies: tuple[Strategy, ...]


class _Load(_Part):
    arrivals: tuple[Arrival, ...] = Field(min_length=1)


class Catalog(_Part):
    """Both programs' catalogs, as `catalog.json` holds them."""

    bank: _Bank
    load: _Load

    @property
    def isolations(self) -> tuple[str, ...]:
        """The isolation levels, weakest first."""
        return self.bank.isolations

    @functools.cached_property
    def scenarios(self) -> Mapping[str, Scenario]:
        """The scenarios by name."""
        return {scenario.name: scenario for scenario in self.bank.scenarios}

    @functools.cached_property
    def strategies(self) -> Mapping[str, Strategy]:
        """The strategies by name."""
        return {strategy.name: strategy for strategy in self.bank.strategies}

    @functools.cached_property
    def arrivals(self) -> Mapping[str, Arrival]:
        """The arrivals by name."""
        return {arrival.name: arrival for arrival in self.load.arrivals}

    def claim(self, scenario: str, strategy: str, isolation: str) -> Claim | None:
        """Give what the strategy claims there; None where the three do not work together."""
        return self.strategies[strategy].claims.get(scenario, {}).get(isolation)

    def strategies_for(self, scenario: str) -> tuple[str, ...]:
        """Name the strategies that can serve a scenario."""
        return tuple(name for name, strategy in self.strategies.items() if strategy.claims.get(scenario))


@functools.cache
def catalog() -> Catalog:
    """Read the catalog that came with this version."""
    text = resources.files(__package__).joinpath("catalog.json").read_text(encoding="utf-8")
    return Catalog.model_validate(json.loads(text))
