"""Wrong experiment files, each with what is told of it after its name."""

from __future__ import annotations

from itertools import pairwise

from racelab_operator.catalog import catalog

HEAD = "apiVersion: racelab.dev/v1alpha1\nkind: RaceExperiment\nmetadata: {name: wrong}\nspec:\n  scenario: deposit\n"
REDEEM = HEAD.replace("deposit", "redeem") + "  strategies: [row_lock]\n"
GOOD = HEAD + "  strategies: [row_lock]\n"

WRONG: dict[str, tuple[str | bytes, str]] = {
    "a number too small": (
        GOOD + "  load: {requests: 0}\n",
        ":7: spec.load.requests: given 0, allowed 1 to 1000000, a whole number in digits",
    ),
    "a decimal": (
        GOOD + "  load: {requests: 5.5}\n",
        ":7: spec.load.requests: given 5.5, allowed 1 to 1000000, a whole number in digits",
    ),
    "a number in quotes": (
        GOOD + "  load: {requests: '5'}\n",
        ":7: spec.load.requests: given '5', allowed 1 to 1000000, a whole number in digits",
    ),
    "base sixty": (
        GOOD + "  load: {requests: 1:30}\n",
        ":7: spec.load.requests: given '1:30', allowed 1 to 1000000, a whole number in digits",
    ),
    "both lengths": (
        GOOD + "  load: {requests: 5, durationSeconds: 5}\n",
        ":7: spec.load: both are given: give exactly one of requests and durationSeconds",
    ),
    "neither length": (
        GOOD + "  load: {concurrency: 5}\n",
        ":7: spec.load: neither is given: give exactly one of requests and durationSeconds",
    ),
    "more generators than clients": (
        GOOD + "  load: {requests: 5, concurrency: 2, generators: 3}\n",
        ":7: spec.load.generators: given 3, allowed 1 to the concurrency, 2: raise spec.load.concurrency",
    ),
    "an opening below the floor": (
        GOOD + "  load: {requests: 5, openingCents: 1, minimumCents: 2}\n",
        ":7: spec.load.openingCents: given 1, allowed from minimumCents 2: an account opens at its floor or above",
    ),
    "fewer accounts than the scenario needs": (
        GOOD.replace("deposit", "transfer") + "  load: {requests: 5, accounts: 1}\n",
        ":7: spec.load.accounts: given 1, allowed 2 to 10000 for scenario transfer",
    ),
    "an opening of a scenario that has none": (
        REDEEM + "  load:\n    requests: 5\n    openingCents: 0\n",
        ":9: spec.load.openingCents: given 0, which scenario redeem does not take: leave it out",
    ),
    "a floor of a scenario that has none": (
        HEAD.replace("deposit", "open") + "  strategies: [get_or_create]\n  load: {requests: 5, minimumCents: -5}\n",
        ":7: spec.load.minimumCents: given -5, which scenario open does not take: leave it out",
    ),
    "a price where nothing is sold": (
        GOOD + "  load: {requests: 5, priceCents: 100}\n",
        ":7: spec.load.priceCents: given 100, which scenario deposit does not take: leave it out",
    ),
    "a price that a code takes below zero": (
        REDEEM + "  load: {requests: 5, priceCents: 99}\n",
        (
            ":7: spec.load.priceCents: given 99, allowed from amountCents 100: "
            "an item's price is at least what one code takes off it"
        ),
    ),
    "a strategy that does not serve the scenario": (
        HEAD.replace("deposit", "open") + "  strategies: [get_or_create, row_lock]\n",
        (
            ":6: spec.strategies[1]: given row_lock, which does not work with scenario open, "
            f"allowed {', '.join(catalog().strategies_for('open'))}"
        ),
    ),
    "a misspelt field": (
        GOOD + "  window_milliseconds: [5]\n",
        (
            ":7: spec.window_milliseconds: unknown field, allowed scenario, strategies, isolation, replicas, "
            "windowMilliseconds, load, expect, suspend, abort, ttlSecondsAfterFinished"
            ": did you mean windowMilliseconds?"
        ),
    ),
    "a misspelt strategy": (
        HEAD + "  strategies:\n  - row_lock\n  - atomik_only\n",
        (
            f":8: spec.strategies[1]: given 'atomik_only', allowed {', '.join(catalog().strategies)}"
            ": did you mean atomic_only?"
        ),
    ),
    "a level that a strategy is not for": (
        HEAD + "  strategies: [serializable_retry]\n  isolation: [serializable, read-committed]\n",
        (
            ":7: spec.isolation[1]: given read-committed, at which serializable_retry claims nothing: "
            "leave one of them out"
        ),
    ),
    "a repeated item": (
        GOOD + "  replicas: [3, 1, 3]\n",
        ":7: spec.replicas[2]: given 3 twice: keep one of them",
    ),
    "an empty list": (GOOD + "  replicas: []\n", ":7: spec.replicas: given 0 items, allowed 1 to 16"),
    "a value for a list": (GOOD + "  replicas: 3\n", ":7: spec.replicas: given 3, allowed a list, such as [1]"),
    "a repeated field": (
        GOOD + "  scenario: withdraw\n",
        ":7: spec.scenario: given twice, first on line 5: keep one of them",
    ),
    "too many steps": (
        GOOD + f"  replicas: {list(range(1, 17))}\n  windowMilliseconds: {list(range(13))}\n",
        (
            ":4: spec: given 208 steps (replicas × strategies × isolation × windowMilliseconds), allowed 1 to 200: "
            "shorten a list, or make two experiments"
        ),
    ),
    "a wrong truth": (GOOD + "  suspend: 1\n", ":7: spec.suspend: given 1, allowed true, false"),
    "a list for a load": (
        GOOD + "  load: [5]\n",
        (
            ":7: spec.load: given a list, allowed a mapping with requests, durationSeconds, concurrency, accounts, "
            "amountCents, minimumCents, openingCents, priceCents, arrival, generators, seed"
        ),
    ),
    "a list that holds nothing": (
        GOOD + "  replicas: [1, ~]\n",
        ":7: spec.replicas[1]: given nothing, allowed 1 to 32, a whole number in digits",
    ),
    "a scenario that holds nothing": (
        GOOD.replace(" deposit", ""),
        f":5: spec.scenario: missing: allowed {', '.join(catalog().scenarios)}",
    ),
    "a number for a name": (
        GOOD.replace("wrong", "1e3"),
        (
            ":3: metadata.name: given 1000, allowed a text of 1 to 63 lower-case letters, digits and -, "
            "with a letter or a digit at both ends"
        ),
    ),
    "a truth for a name": (
        GOOD.replace("wrong", "y"),
        (
            ":3: metadata.name: given true, allowed a text of 1 to 63 lower-case letters, digits and -, "
            "with a letter or a digit at both ends"
        ),
    ),
    "a number for a label": (
        GOOD.replace("wrong", "wrong, labels: {a: 5}"),
        ":3: metadata.labels.a: given 5, allowed a text: write it in quotes",
    ),
    "a label with a blank": (
        GOOD.replace("wrong", "wrong, labels: {a: b c}"),
        (
            ":3: metadata.labels.a: given 'b c', allowed a text of up to 63 letters, digits, -, _ and ., "
            "with a letter or a digit at both ends"
        ),
    ),
    "a name of a label with capitals in its domain": (
        GOOD.replace("wrong", "wrong, labels: {A.com/b: c}"),
        (":3: metadata.labels.A.com/b: given the name 'A.com/b', allowed a domain before the /, such as example.com/b"),
    ),
    "an annotation without a name": (
        GOOD.replace("wrong", "wrong, annotations: {a/: b}"),
        (
            ":3: metadata.annotations.a/: given the name 'a/', allowed 1 to 63 letters, digits, -, _ and ., "
            "with a letter or a digit at both ends"
        ),
    ),
    "no mapping of labels": (
        GOOD.replace("wrong", "wrong, labels: 5"),
        ":3: metadata.labels: given 5, allowed a mapping",
    ),
    "an unknown field of the metadata": (
        GOOD.replace("wrong", "wrong, label: {}"),
        ":3: metadata.label: unknown field, allowed name, namespace, labels, annotations: did you mean labels?",
    ),
    "a wrong name": (
        GOOD.replace("wrong", "Wrong_"),
        (
            ":3: metadata.name: given 'Wrong_', allowed a text of 1 to 63 lower-case letters, digits and -, "
            "with a letter or a digit at both ends"
        ),
    ),
    "another kind": (GOOD.replace("RaceExperiment", "Pod"), ":2: kind: given 'Pod', allowed RaceExperiment"),
    "no scenario": (
        GOOD.replace("  scenario: deposit\n", ""),
        f":4: spec.scenario: missing: allowed {', '.join(catalog().scenarios)}",
    ),
    "a list as a document": (
        "- 1\n",
        ":1: given a list, allowed a mapping with apiVersion, kind, metadata, spec",
    ),
    "a merge after the field that it replaces": (
        GOOD + "  load: {requests: 5, <<: {requests: 6}}\n",
        ":7: spec.load.requests: given on line 7 and by <<: keep one of them, or write << first",
    ),
    "a merge of no mapping": (
        GOOD + "  load: {requests: 5, <<: [5]}\n",
        ":7: spec.load: given no mapping after <<: name one, such as <<: *other",
    ),
    "a mapping for the name of a field": (
        GOOD + "  load: {requests: 5, {a: b}: 5}\n",
        ":7: spec.load: a field's name must be a plain text: write the fields out one by one",
    ),
    "a tag": (
        GOOD + "  expect: !!python/name:os.system Claim\n",
        ":7: spec.expect: the YAML tag tag:yaml.org,2002:python/name:os.system is not allowed: write a plain value",
    ),
    "no YAML": (GOOD + "  load: {requests: 5\n", ":8: is not YAML: expected ',' or '}', but got '<stream end>'"),
    "a tab": (GOOD + "\tload: {}\n", ":7: is not YAML here: there is a tab, indent with spaces"),
    "an empty file": ("", ": holds no experiment: `racelab init` writes an example"),
    "comments only": ("# nothing\n---\n", ": holds no experiment: `racelab init` writes an example"),
    "binary": (b"\x7fELF\0\0", ": is binary: this is no experiment file"),
    "not UTF-8": (b"a: 1\nb: \xff\n", ":2: is not UTF-8 text: this is no experiment file"),
    "a control character": (b"a: \x07\n", ":1: holds a character that YAML does not allow: this is no experiment file"),
    "too large": (b"#" * (2**20 + 1), ": is larger than 1 MiB: this is no experiment file"),
    "a bomb of aliases": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdef")),
        ":1: unfolds into too much: allowed 20000 values and a depth of 32: avoid aliases",
    ),
    "an alias of itself": (
        "a: &a [*a]\n",
        ":1: unfolds into too much: allowed 20000 values and a depth of 32: avoid aliases",
    ),
    "endless nesting": ("[" * 5000, ": is nested too deeply: allowed a depth of 32"),
    "an endless number": (
        GOOD + f"  load: {{requests: {'9' * 5000}}}\n",
        f":7: spec.load.requests: given '{'9' * 39}…, allowed 1 to 1000000, a whole number in digits",
    ),
}
