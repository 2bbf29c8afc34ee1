"""What is done with the money. One file each; adding a file adds a scenario.

A scenario is a function from the form's accounts and amount to a `Posting`, decorated with what can go wrong:

    @scenario(anomalies=(Anomaly.LOST_UPDATE,), opening_cents=100_000)
    def deposit(account: int, amount_cents: int) -> Posting: ...
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from racelab_bank import registry

if TYPE_CHECKING:
    from racelab_bank.claims import Anomaly
    from racelab_bank.posting import Posting


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, and how its accounts are opened.

    `fields` are the form fields that name accounts; `target` says whether operations of one batch share an account.
    `opening_percent_of_load`, where given, opens each account with that share of all that will be asked of it, so
    that refusals are reached; otherwise it opens with `opening_cents`.
    """

    name: str
    post: "Callable[..., Posting]"
    anomalies: "tuple[Anomaly, ...]"
    opening_cents: int
    opening_percent_of_load: int | None
    minimum_cents: int
    fields: tuple[str, ...]
    target: Literal["random", "batch"]

    @property
    def description(self) -> str:
        """The first line of its module's docstring."""
        return registry.description(self.post)

    @property
    def form(self) -> str:
        """The form body that a load generator fills in."""
        return "&".join(
            [f"{field}={{{field}}}" for field in self.fields] + ["amount={amount}", "operation={operation}"]
        )


def scenario(
    *,
    anomalies: "tuple[Anomaly, ...]",
    opening_cents: int,
    opening_percent_of_load: int | None = None,
    minimum_cents: int = 0,
    fields: tuple[str, ...] = ("account",),
    target: Literal["random", "batch"] = "random",
) -> "Callable[[Callable[..., Posting]], Scenario]":
    """Make a scenario of a function that takes one account id per field, then the amount in cents."""

    def decorate(function: "Callable[..., Posting]") -> Scenario:
        return Scenario(
            function.__name__,
            function,
            anomalies,
            opening_cents,
            opening_percent_of_load,
            minimum_cents,
            fields,
            target,
        )

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
            "form": scenario.form,
            "target": scenario.target,
            "opening_cents": scenario.opening_cents,
            "opening_percent_of_load": scenario.opening_percent_of_load,
            "minimum_cents": scenario.minimum_cents,
            "anomalies": [str(anomaly) for anomaly in scenario.anomalies],
        }
        for scenario in scenarios().values()
    ]
