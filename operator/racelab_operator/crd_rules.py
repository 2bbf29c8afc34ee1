"""What the API server refuses beyond types and bounds, in CEL: the rules of `spec.py` that look at several fields.

Names and claims come from the catalog. A rule's message names what was given and what is allowed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from racelab_operator.catalog import catalog
from racelab_operator.spec import MAXIMUM_ACCOUNTS, MAXIMUM_STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Rule = dict[str, str]
Schema = dict[str, Any]

MAY_CHANGE: Final = ("suspend", "abort", "ttlSecondsAfterFinished")

_CATALOG: Final = catalog()
_CHANGEABLE: Final = f"{', '.join(MAY_CHANGE[:-1])} and {MAY_CHANGE[-1]}"
_FROZEN: Final = f"given %s, it was %s: only {_CHANGEABLE} may change, make another experiment"
_LISTS: Final = ("replicas", "strategies", "isolation", "windowMilliseconds")


def rule(holds: str, message: str, *values: str, field: str = "") -> Rule:
    """Make a rule: `holds` is CEL; each %s of the message is filled with a CEL value.

    `field`: the path, from where the rule stands, of the field that is told as wrong.
    """
    if values:
        # Only format() has a bounded cost: the API server takes the text of a number to be of any length.
        told = {"messageExpression": f"{_text(message)}.format([{', '.join(f'dyn({value})' for value in values)}])"}
    else:
        told = {"message": message}
    return {"rule": holds, **told} | ({"fieldPath": field} if field else {})


def spec_rules() -> Iterator[Rule]:
    """Give the rules of `spec`: what works together."""
    for scenario in _CATALOG.scenarios:
        works = _CATALOG.strategies_for(scenario)
        wrong = f"self.strategies.filter(x, !(x in {_listed(works)}))"
        yield rule(
            f"self.scenario != {_text(scenario)} || {wrong}.size() == 0",
            f"given %s, which does not work with scenario {scenario}, allowed {', '.join(works)}",
            f"{wrong}[0]",
            field=".strategies",
        )
    yield from _claims_rules()
    yield from _scenario_rules()
    steps = " * ".join(f"size(self.{name})" for name in _LISTS)
    yield rule(
        f"{steps} <= {MAXIMUM_STEPS}",
        f"given %s steps (replicas × strategies × isolation × windowMilliseconds), allowed 1 to {MAXIMUM_STEPS}: "
        "shorten a list, or make two experiments",
        steps,
    )


def _claims_rules() -> Iterator[Rule]:
    """Refuse an isolation level at which a strategy claims nothing, scenarios that agree together."""
    scenarios_of: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for scenario in _CATALOG.scenarios:
        for level in _CATALOG.isolations:
            served = _CATALOG.strategies_for(scenario)
            silent = tuple(name for name in served if _CATALOG.claim(scenario, name, level) is None)
            if silent:
                scenarios_of[level, silent].append(scenario)
    for (level, silent), scenarios in scenarios_of.items():
        wrong = f"self.strategies.filter(x, x in {_listed(silent)})"
        yield rule(
            f"!(self.scenario in {_listed(scenarios)}) || !({_text(level)} in self.isolation) || {wrong}.size() == 0",
            f"given {level}, at which %s claims nothing: leave one of them out",
            f"{wrong}[0]",
            field=".isolation",
        )


def _scenario_rules() -> Iterator[Rule]:
    """Refuse what a load says that its scenario does not allow."""
    for field in ("openingCents", "minimumCents", "priceCents"):
        given = f"self.load.{field}"
        snake = f"{field.removesuffix('Cents')}_cents"
        takes = [name for name, scenario in _CATALOG.scenarios.items() if getattr(scenario, snake) is not None]
        yield rule(
            f"!has({given}) || self.scenario in {_listed(takes)}",
            f"given %s, which scenario %s does not take, only {', '.join(takes)}: leave it out",
            given,
            "self.scenario",
            field=f".load.{field}",
        )
    for name, scenario in _CATALOG.scenarios.items():
        if scenario.accounts > 1:
            yield rule(
                f"self.scenario != {_text(name)} || !has(self.load.accounts)"
                f" || self.load.accounts >= {scenario.accounts}",
                f"given %s, allowed {scenario.accounts} to {MAXIMUM_ACCOUNTS} for scenario {name}",
                "self.load.accounts",
                field=".load.accounts",
            )


def load_rules() -> Iterator[Rule]:
    """Give the rules of `spec.load`: bounds that depend on another field."""
    yield rule(
        "has(self.requests) != has(self.durationSeconds)",
        "%s given: give exactly one of requests and durationSeconds",
        "(has(self.requests) ? 'both are' : 'neither is')",
    )
    yield rule(
        "!has(self.openingCents) || !has(self.minimumCents) || self.openingCents >= self.minimumCents",
        "given %s, allowed from minimumCents %s: an account opens at its floor or above",
        "self.openingCents",
        "self.minimumCents",
        field=".openingCents",
    )
    yield rule(
        "self.generators <= self.concurrency",
        "given %s, allowed 1 to the concurrency, %s: raise spec.load.concurrency",
        "self.generators",
        "self.concurrency",
        field=".generators",
    )
    yield rule(
        "!has(self.priceCents) || self.priceCents >= self.amountCents",
        "given %s, allowed from amountCents %s: an item's price is at least what one code takes off it",
        "self.priceCents",
        "self.amountCents",
        field=".priceCents",
    )


def list_rule() -> Rule:
    """Give the rule of every list: nothing twice."""
    return rule(
        "self.all(x, self.exists_one(y, y == x))",
        "given %s twice: keep one of them",
        "self.filter(x, self.filter(y, y == x).size() > 1)[0]",
    )


def frozen_rules(fields: Mapping[str, Schema]) -> Iterator[Rule]:
    """Refuse changes of any of these fields of an object, adding and dropping one as well."""
    for name, schema in fields.items():
        now, before = f"self.{name}", f"oldSelf.{name}"
        if "default" in schema:
            yield rule(f"{now} == {before}", _FROZEN, now, before, field=f".{name}")
            continue
        yield rule(
            f"has({now}) ? has({before}) && {now} == {before} : !has({before})",
            _FROZEN,
            *(f"has({value}) ? dyn({value}) : dyn('nothing')" for value in (now, before)),
            field=f".{name}",
        )


def frozen_rule() -> Rule:
    """Refuse changes of a value that is always there."""
    return rule("self == oldSelf", _FROZEN, "self", "oldSelf")


def abort_rule() -> Rule:
    """Refuse to take an abort back: by then the load may be ended already."""
    return rule("self || !oldSelf", "given false, it was true: an abort cannot be taken back, make another experiment")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _listed(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
