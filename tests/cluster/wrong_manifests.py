"""Manifests that a cluster refuses, each with the parts of what it says: the field, the value and the limit."""

from __future__ import annotations

from racelab_operator.catalog import catalog

HEAD = "apiVersion: racelab.dev/v1alpha1\nkind: RaceExperiment\nmetadata: {name: wrong}\nspec:\n  scenario: deposit\n"
GOOD = HEAD + "  strategies: [row_lock]\n"
ABOVE_ZERO = "should be greater than or equal to 1"


def load(fields: str, manifest: str = GOOD) -> str:
    return f"{manifest}  load: {{{fields}}}\n"


def of(scenario: str, strategy: str = "row_lock") -> str:
    return HEAD.replace("deposit", scenario) + f"  strategies: [{strategy}]\n"


WRONG: dict[str, tuple[str, ...]] = {
    "a number too small": (load("requests: 0"), "spec.load.requests", "Invalid value: 0", ABOVE_ZERO),
    "a number too large": (load("durationSeconds: 3601"), "spec.load.durationSeconds", "3601", "or equal to 3600"),
    "too many replicas": (GOOD + "  replicas: [1, 33]\n", "spec.replicas[1]", "Invalid value: 33", "or equal to 32"),
    "a window below zero": (GOOD + "  windowMilliseconds: [-1]\n", "spec.windowMilliseconds[0]", "-1", "equal to 0"),
    "a seed that JSON cannot hold": (load("requests: 5, seed: 9007199254740992"), "spec.load.seed", "740992", "740991"),
    "a decimal": (load("requests: 2.5"), "spec.load.requests", '"number"', "must be of type integer"),
    "a number in quotes": (load("requests: '5'"), "spec.load.requests", '"string"', "must be of type integer"),
    "a truth in quotes": (GOOD + "  suspend: 'true'\n", "spec.suspend", '"string"', "must be of type boolean"),
    "a list for a load": (GOOD + "  load: [5]\n", "spec.load", '"array"', "must be of type object"),
    "a misspelt field": (GOOD + "  window_milliseconds: [5]\n", "unknown field", "spec.window_milliseconds"),
    "a misspelt strategy": (HEAD + "  strategies: [row_lok]\n", "spec.strategies[0]", '"row_lok"', '"row_lock"'),
    "a misspelt scenario": (of("deposits"), "spec.scenario", '"deposits"', '"deposit"', '"withdraw"'),
    "a misspelt level": (
        GOOD + "  isolation: [serialisable]\n",
        "spec.isolation[0]",
        '"serialisable"',
        '"serializable"',
    ),
    "an unknown arrival": (load("requests: 5, arrival: open"), "spec.load.arrival", '"open"', '"single-packet"'),
    "no strategies": (HEAD, "spec.strategies", "Required value"),
    "an empty list": (GOOD + "  replicas: []\n", "spec.replicas", "Invalid value: 0", "at least 1 items"),
    "a list too long": (GOOD + f"  replicas: {list(range(1, 18))}\n", "spec.replicas", "Too many: 17", "at most 16"),
    "a wrong name": (GOOD.replace("wrong", "Wrong_"), "metadata.name", '"Wrong_"', "[a-z0-9]([-a-z0-9]*[a-z0-9])?"),
    "a name too long": (GOOD.replace("wrong", "a" * 64), "metadata.name", "Too long", "63 bytes"),
    "a repeated item": (GOOD + "  replicas: [3, 1, 3]\n", "spec.replicas", "given 3 twice", "keep one of them"),
    "both lengths": (load("requests: 5, durationSeconds: 5"), "spec.load", "both are given", "exactly one of requests"),
    "neither length": (load("concurrency: 5"), "spec.load", "neither is given", "exactly one of requests"),
    "more generators than clients": (
        load("requests: 5, concurrency: 2, generators: 3"),
        "spec.load.generators",
        "given 3, allowed 1 to the concurrency, 2: raise spec.load.concurrency",
    ),
    "an opening below the floor": (
        load("requests: 5, openingCents: 1, minimumCents: 2"),
        "spec.load.openingCents",
        "given 1, allowed from minimumCents 2: an account opens at its floor or above",
    ),
    "fewer accounts than the scenario needs": (
        load("requests: 5, accounts: 1", of("transfer")),
        "spec.load.accounts",
        "given 1, allowed 2 to 10000 for scenario transfer",
    ),
    "an opening of a scenario that has none": (
        load("requests: 5, openingCents: 0", of("redeem")),
        "spec.load.openingCents",
        "given 0, which scenario redeem does not take, only deposit, joint, transfer, withdraw: leave it out",
    ),
    "a floor of a scenario that has none": (
        load("requests: 5, minimumCents: -5", of("open", "get_or_create")),
        "spec.load.minimumCents",
        "given -5, which scenario open does not take, only deposit, joint, transfer, withdraw: leave it out",
    ),
    "a price where nothing is sold": (
        load("requests: 5, priceCents: 500"),
        "spec.load.priceCents",
        "given 500, which scenario deposit does not take, only redeem: leave it out",
    ),
    "a price that a code takes below zero": (
        load("requests: 5, priceCents: 99", of("redeem")),
        "spec.load.priceCents",
        "given 99, allowed from amountCents 100: an item's price is at least what one code takes off it",
    ),
    "a strategy that does not serve the scenario": (
        of("open", "get_or_create, row_lock"),
        "spec.strategies",
        "given row_lock, which does not work with scenario open, allowed "
        + ", ".join(catalog().strategies_for("open")),
    ),
    "a level that a strategy is not for": (
        of("deposit", "serializable_retry") + "  isolation: [serializable, read-committed]\n",
        "spec.isolation",
        "given read-committed, at which serializable_retry claims nothing: leave one of them out",
    ),
    "too many steps": (
        GOOD + f"  replicas: {list(range(1, 17))}\n  windowMilliseconds: {list(range(13))}\n",
        "spec",
        "given 208 steps (replicas × strategies × isolation × windowMilliseconds), allowed 1 to 200",
    ),
}

STORED = """apiVersion: racelab.dev/v1alpha1
kind: RaceExperiment
metadata: {name: stored}
spec:
  scenario: withdraw
  strategies: [row_lock, atomic_only]
  isolation: [read-committed]
  replicas: [1, 3]
  windowMilliseconds: [0, 5]
  load: {requests: 300, concurrency: 20}
  expect: Claim
"""
_ONLY = "only suspend, abort and ttlSecondsAfterFinished may change, make another experiment"

# What is replaced, by what, and what is told of it.
EDITS: dict[str, tuple[str, ...]] = {
    "another scenario": ("withdraw", "deposit", "spec.scenario", f"given deposit, it was withdraw: {_ONLY}"),
    "another order": (
        "[row_lock, atomic_only]",
        "[atomic_only, row_lock]",
        "spec.strategies",
        f'given ["atomic_only", "row_lock"], it was ["row_lock", "atomic_only"]: {_ONLY}',
    ),
    "another level": (
        "[read-committed]",
        "[serializable]",
        "spec.isolation",
        f'given ["serializable"], it was ["read-committed"]: {_ONLY}',
    ),
    "a count of replicas more": ("[1, 3]", "[1, 3, 5]", "spec.replicas", f"given [1, 3, 5], it was [1, 3]: {_ONLY}"),
    "a window less": ("[0, 5]", "[5]", "spec.windowMilliseconds", f"given [5], it was [0, 5]: {_ONLY}"),
    "another expectation": ("Claim", "Anomalous", "spec.expect", f"given Anomalous, it was Claim: {_ONLY}"),
    "a list dropped": (
        "  replicas: [1, 3]\n",
        "",
        "spec.replicas",
        f"given [3], it was [1, 3]: {_ONLY}",
    ),
    "another load": ("requests: 300", "requests: 301", "spec.load.requests", f"given 301, it was 300: {_ONLY}"),
    "a field of the load added": (
        "concurrency: 20",
        "concurrency: 20, minimumCents: -5",
        "spec.load.minimumCents",
        f"given -5, it was nothing: {_ONLY}",
    ),
    "a length for another": (
        "requests: 300",
        "durationSeconds: 5",
        "spec.load.requests",
        f"given nothing, it was 300: {_ONLY}",
        "spec.load.durationSeconds",
        f"given 5, it was nothing: {_ONLY}",
    ),
    "a default that is not the same": (
        "concurrency: 20}",
        "concurrency: 20, seed: 8}",
        "spec.load.seed",
        f"given 8, it was 7: {_ONLY}",
    ),
}
