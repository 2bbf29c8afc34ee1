"""What is done with the money. One file each; adding a file adds a scenario.

A scenario is a function from the form's fields and the amount to a `Posting`, decorated with what can go wrong:

    @scenario(anomalies=(Anomaly.LOST_UPDATE,), noun="deposits", opening_cents=100_000, minimum_cents=0)
    def deposit(account: int, amount_cents: int) -> Posting: ...
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from racelab_bank import registry

if TYPE_CHECKING:
    from racelab_bank.claims import Anomaly
    from racelab_bank.posting import Posting

#: What a load generator fills into a form field: a target's account, a second account, an owner's number, a run's key.
Placeholder = Literal["account", "other", "owner", "run"]

#: How the second account is chosen: any other target's, or the target's own second one, in this or in any order.
Other = Literal["none", "random", "pair", "swap"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run is opened with, in cents."""

    opening_cents: int
    minimum_cents: int
    price_cents: int = 0


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that a run opens for a target. `owned`: it belongs to an owner, whose number is the target's."""

    opening_cents: int
    minimum_cents: int = 0
    kind: Literal["money", "item", "code"] = "money"
    owned: bool = False


#: The accounts that a run opens for one target, in order of their ids.
Opens: TypeAlias = Callable[[Terms], tuple[NewAccount, ...]]


def one_account(terms: Terms) -> tuple[NewAccount, ...]:
    """Open one account per target."""
    return (NewAccount(terms.opening_cents, terms.minimum_cents),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario, and how its accounts are opened.

    `fields` are the form's fields with what a load generator fills in; `target` says whether operations of one batch
    share a target; `targets` is how many a load has at least. What it does not take is None: `opening_cents`,
    `minimum_cents` and `price_cents` are its own values for the others. `opening_percent_of_load`, where given, opens
    each account with that share of all that will be asked of it, so that refusals are reached. `legs` is how many
    accounts an operation writes. Whether it `changes_balances` that are there, is `guarded`, and `opens_accounts` tells
    which strategies can serve it.
    """

    name: str
    post: "Callable[..., Posting]"
    anomalies: "tuple[Anomaly, ...]"
    noun: str
    fields: Mapping[str, Placeholder] = field(default_factory=lambda: MappingProxyType({"account": "account"}))
    other: Other = "none"
    target: Literal["random", "batch"] = "random"
    targets: int = 1
    opens: Opens = one_account
    opening_cents: int | None = None
    opening_percent_of_load: int | None = None
    minimum_cents: int | None = None
    price_cents: int | None = None
    legs: int = 1
    changes_balances: bool = True
    guarded: bool = False
    opens_accounts: bool = False

    @property
    def description(self) -> str:
        """The first line of its module's docstring."""
        return registry.description(self.post)

    @property
    def form(self) -> str:
        """The form body that a load generator fills in."""
        filled = [f"{name}={{{placeholder}}}" for name, placeholder in self.fields.items()]
        return "&".join([*filled, "amount={amount}", "operation={operation}"])


def scenario(
    *, anomalies: "tuple[Anomaly, ...]", noun: str, **more: Any
) -> "Callable[[Callable[..., Posting]], Scenario]":
    """Make a scenario of a function that takes one value per field, then the amount in cents; see `Scenario`."""

    def decorate(function: "Callable[..., Posting]") -> Scenario:
        return Scenario(name=function.__name__, post=function, anomalies=anomalies, noun=noun, **more)

    return decorate


@cache
def scenarios() -> Mapping[str, Scenario]:
    """Return all scenarios by name."""
    return registry.find(sys.modules[__name__], Scenario)


def catalog() -> list[dict[str, Any]]:
    """Return what others must know about the scenarios, as in docs/contracts.md."""
    return [
        {
            "name": scenario.name,
            "description": scenario.description,
            "noun": scenario.noun,
            "form": scenario.form,
            "target": scenario.target,
            "other": scenario.other,
            "accounts": scenario.targets,
            "legs": scenario.legs,
            "opening_cents": scenario.opening_cents,
            "opening_percent_of_load": scenario.opening_percent_of_load,
            "minimum_cents": scenario.minimum_cents,
            "price_cents": scenario.price_cents,
            "anomalies": [str(anomaly) for anomaly in scenario.anomalies],
        }
        for scenario in scenarios().values()
    ]
