"""Ways of applying a posting, right and wrong. One file each; adding a file adds a strategy.

A strategy is a function of a `Posting` and a `Bank`, decorated with what it claims and, if it is safe, how:

    @strategy(CLAIMS, transaction="atomic", prevents=BLOCKS)
    def row_lock(posting: Posting, bank: Bank) -> Applied: ...
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from racelab_bank import registry
from racelab_bank.prevention import CLAIMS_ONLY, Prevention

if TYPE_CHECKING:
    from racelab_bank.claims import Claim, Claims
    from racelab_bank.ledger import Bank
    from racelab_bank.posting import Applied, Posting
    from racelab_bank.scenarios import Scenario

#: Which scenarios a strategy can serve.
Serves: TypeAlias = "Callable[[Scenario], bool]"

_NO_COLUMNS: Mapping[str, bool] = MappingProxyType({})
_NO_EXCEPTIONS: "Mapping[str, Claims]" = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy and its claim per isolation level; what it does not claim, it is not used for.

    `transaction`: whether it opens one, or autocommits. `serves`: which scenarios it can serve. `accounts`: columns of
    the accounts that its runs open, where these differ from what they usually are. `exceptions`: claims for scenarios,
    by name, in which it does otherwise. `prevents`: how it keeps operations from overlooking each other, where
    it claims to; told where another strategy has let it happen.
    """

    name: str
    apply: "Callable[[Posting, Bank], Applied]"
    transaction: Literal["none", "atomic"]
    claims: "Claims"
    serves: "Serves"
    accounts: Mapping[str, bool]
    exceptions: "Mapping[str, Claims]"
    prevents: Prevention

    def claim(self, scenario: "Scenario", isolation: str) -> "Claim":
        """Return what it claims when it serves `scenario` at `isolation`."""
        return self.exceptions.get(scenario.name, self.claims)[isolation].within(scenario.anomalies)

    @property
    def description(self) -> str:
        """The first line of its module's docstring."""
        return registry.description(self.apply)


def balances(scenario: "Scenario") -> bool:
    """Serve scenarios that change balances, each checked by itself."""
    return scenario.changes_balances and not scenario.guarded


def one_balance(scenario: "Scenario") -> bool:
    """Serve scenarios that change one balance."""
    return balances(scenario) and scenario.legs == 1


def guards(scenario: "Scenario") -> bool:
    """Serve scenarios that check several balances together."""
    return scenario.guarded


def balances_and_guards(scenario: "Scenario") -> bool:
    """Serve scenarios that change balances, checked by themselves or together."""
    return balances(scenario) or guards(scenario)


def openings(scenario: "Scenario") -> bool:
    """Serve scenarios that can be told by rows that are created."""
    return scenario.opens_accounts


def strategy(
    claims: "Claims",
    *,
    transaction: Literal["none", "atomic"],
    serves: "Serves" = balances,
    accounts: Mapping[str, bool] = _NO_COLUMNS,
    exceptions: "Mapping[str, Claims]" = _NO_EXCEPTIONS,
    prevents: Prevention = CLAIMS_ONLY,
) -> "Callable[[Callable[[Posting, Bank], Applied]], Strategy]":
    """Make a strategy of a function that applies a posting; see `Strategy`."""

    def decorate(function: "Callable[[Posting, Bank], Applied]") -> Strategy:
        return Strategy(function.__name__, function, transaction, claims, serves, accounts, exceptions, prevents)

    return decorate


def serving(scenario: "Scenario") -> list[str]:
    """Return the names of the strategies that can serve a scenario."""
    return [name for name, one in strategies().items() if one.serves(scenario)]


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
                if strategy.serves(scenario)
            },
        }
        for strategy in strategies().values()
    ]
