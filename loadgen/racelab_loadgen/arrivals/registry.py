"""Finds the arrivals: every other module of this package defines one, named ARRIVAL."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Protocol

from racelab_loadgen import arrivals

if TYPE_CHECKING:
    from racelab_loadgen.engine import Engine


class Running(Protocol):
    """An arrival at work."""

    async def prepare(self) -> None:
        """Do what can be done before the start; the start itself comes right after."""

    def start(self) -> None:
        """Send the first operations now."""

    async def finish(self) -> None:
        """Send the rest; done when every operation is recorded, or soon after the engine stops."""


class Arrival(Protocol):
    """A way in which operations arrive: a name and a line for the catalog, and how it is done."""

    name: str
    description: str

    def __call__(self, engine: Engine) -> Running:
        """Set one run up."""


@cache
def all_arrivals() -> dict[str, Arrival]:
    """Give the arrivals by name, in the order of their names."""
    found = {}
    for module in pkgutil.iter_modules(arrivals.__path__):
        if module.name != "registry":
            arrival: Arrival = importlib.import_module(f"{arrivals.__name__}.{module.name}").ARRIVAL
            found[arrival.name] = arrival
    return dict(sorted(found.items()))


def catalog() -> dict[str, list[dict[str, str]]]:
    """Describe the arrivals as the operator's catalog keeps them."""
    return {
        "arrivals": [{"name": arrival.name, "description": arrival.description} for arrival in all_arrivals().values()]
    }
