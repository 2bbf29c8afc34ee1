"""Ways of applying a posting, right and wrong. One file each; adding a file adds a strategy.

A strategy is a function of a `Posting` and a `Bank`, decorated with what it claims:

    @strategy(CLAIMS, transaction="atomic")
    def atomic_only(posting: Posting, bank: Bank) -> Applied: ...
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from racelab_bank import registry

if TYPE_CHECKING:
    from racelab_bank.claims import Claim, Claims
    from racelab_bank.ledger import Bank
    from racelab_bank.posting import Applied, Posting
    from racelab_bank.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy and its claim per isolation level; what it does not claim, it is not used for.

    `transaction`: whether it opens one, or autocommits. `checked_accounts`: whether its runs' accounts have the
    constraint `balance >= minimum`.
    """

    name: str
    apply: "Callable[[Posting, Bank], Applied]"
    transaction: Literal["none", "atomic"]
    claims: "Claims"
    checked_accounts: bool = False

    def claim(self, scenario: "Scenario", isolation: str) -> "Claim":
        """Return what it claims when it serves `scenario` at `isolation`."""
        return self.claims[isolation].within(scenario.anomalies)

    @property
    def description(self) -> str:
        """The first line of its module's docstring."""
        return registry.description(self.apply)


def strategy(
    claims: "Claims", *, transaction: Literal["none", "atomic"], checked_accounts: bool = False
) -> "Callable[[Callable[[Posting, Bank], Applied]], Strategy]":
    """Make a strategy of a function that applies a posting."""

    def decorate(function: "Callable[[Posting, Bank], Applied]") -> Strategy:
        return Strategy(function.__name__, function, transaction, claims, checked_accounts)

    return decorate


@cache
def strategies() -> Mapping[str, Strategy]:
    """Return all strategies by name."""
    return registry.find(sys.modules[__name__], Strategy)


def catalog(scenarios: "Mapping[str, Scenario]") -> list[dict[str, Any]]:
    """Return what others must know about the strategies, as in docs/contracts.md."""
    return [
        {
            "name": strategy.name,
            "description": strategy.description,
            "transaction": strategy.transaction,
            "claims": {
                scenario.name: {
                    isolation: strategy.claim(scenario, isolation).as_json() for isolation in strategy.claims
                }
                for scenario in scenarios.values()
            },
        }
        for strategy in strategies().values()
    ]
