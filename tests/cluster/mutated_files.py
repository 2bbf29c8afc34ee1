"""Experiment files with one or two things changed, as a hypothesis strategy: about half of them stay valid."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from racelab_operator.catalog import catalog
from racelab_operator.crd import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CATALOG = catalog()
SPEC = schema()["properties"]["spec"]
PLAIN = re.compile(r"[a-z][a-z0-9-]*_?[a-z0-9_/.-]+|racelab.dev/v1alpha1|[A-Z][a-z]{4,}|RaceExperiment")
WORDS = {"true", "false", "yes", "no", "on", "off", "null"}


def words(text: str) -> list[str]:
    return text.split()


# As they stand in a file. Each is read as something else by some reader of YAML.
WHOLE = words("3.0 300.0 1e2 1E2 1.5e1 010 08 019 0x10 0o7 0b11 1_0 +3 -0 -0.0 0 1 2 00 5. .5e1 12 1e3 1e15 null ~")
LARGE = words(
    "9007199254740991 9007199254740992 9223372036854775807 9223372036854775808 18446744073709551616 1e19 1e30"
)
NO_NUMBERS = words("3.5 -1 .5 .inf .nan 1:30 '3' !!str_3 !!int_'3' -9223372036854775809 1e-7 1e400 2001-01-01")
TRUTHS_WRITTEN = words("yes no on off y n Y N True FALSE true false null")
TEXTS = words("'true' 'false' '' [] {} [1] [null] {a:_1} [[1]] deposit abc Claim claim closed read-committed")
FITTING = {"integer": WHOLE, "boolean": TRUTHS_WRITTEN}
SPELLINGS = [*WHOLE, *LARGE, *NO_NUMBERS, *TRUTHS_WRITTEN, *TEXTS]

Path = tuple[str | int, ...]


class Raw(str):
    """A value as it is written."""

    __slots__ = ()


def written(value: Any) -> str:
    """Write a value in one line."""
    if isinstance(value, Raw):
        return value.replace("_", " ") if value.startswith(("!!", "{")) else value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS:
        return value
    return json.dumps(value)


def text_of(document: dict[str, Any]) -> str:
    """Write a file: a line for each field of the document and of its spec."""
    lines = []
    for name, value in document.items():
        if name == "spec" and isinstance(value, dict) and value:
            lines += ["spec:", *(f"  {field}: {written(one)}" for field, one in value.items())]
        else:
            lines.append(f"{name}: {written(value)}")
    return "\n".join(lines) + "\n"


def fields_of(node: dict[str, Any], path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give every field below a schema with its path; 0 stands for the items of a list."""
    for name, field in node.get("properties", {}).items():
        yield (*path, name), field
        yield from fields_of(field, (*path, name))
    if "items" in node:
        yield (*path, 0), node["items"]


FIELDS = dict(fields_of(SPEC, ("spec",))) | {("metadata", "name"): {"type": "string"}}
NUMBERS = [path for path, field in FIELDS.items() if field["type"] == "integer"]
TRUTHS = [path for path, field in FIELDS.items() if field["type"] == "boolean"]
NAMES = [path for path, field in FIELDS.items() if "enum" in field]
LISTS = [path for path, field in FIELDS.items() if field["type"] == "array"]
MAPPINGS: list[Path] = [(), ("metadata",), ("spec",), ("spec", "load")]
OTHERS: list[Path] = [("apiVersion",), ("kind",), ("metadata",), ("spec",)]


def put(document: dict[str, Any], path: Path, value: Any) -> None:
    """Set a field, with the mappings that lead there."""
    here: Any = document
    for part, following in itertools.pairwise(path):
        if isinstance(part, str) and not isinstance(here.get(part), dict | list):
            here[part] = [1] if following == 0 else {}
        here = here[part]
    if path[-1] == 0:
        here[:] = [value, *here[1:]]
    else:
        here[path[-1]] = value


def drop(document: dict[str, Any], path: Path) -> None:
    """Remove a field, where it is there."""
    here: Any = document
    for part in path[:-1]:
        here = here.get(part) if isinstance(here, dict) else None
    if isinstance(here, dict):
        here.pop(path[-1], None)


@st.composite
def whole(draw: st.DrawFn) -> dict[str, Any]:
    """Give a valid document of any scenario, with some of the optional fields."""
    scenario = CATALOG.scenarios[draw(st.sampled_from(sorted(CATALOG.scenarios)))]
    works = [
        name
        for name in CATALOG.strategies_for(scenario.name)
        if set(CATALOG.strategies[name].claims[scenario.name]) == set(CATALOG.isolations)
    ]
    spec: dict[str, Any] = {
        "scenario": scenario.name,
        "strategies": draw(st.lists(st.sampled_from(works), min_size=1, max_size=3, unique=True)),
    }
    optional = {
        "isolation": st.lists(st.sampled_from(CATALOG.isolations), min_size=1, max_size=3, unique=True),
        "replicas": st.lists(st.integers(1, 32), min_size=1, max_size=3, unique=True),
        "windowMilliseconds": st.lists(st.integers(0, 10_000), min_size=1, max_size=2, unique=True),
        "expect": st.sampled_from(["Claim", "Consistent", "Anomalous"]),
        "suspend": st.booleans(),
        "load": st.fixed_dictionaries(
            {"requests": st.integers(1, 1000)},
            optional={"concurrency": st.integers(4, 50), "generators": st.integers(1, 4), "seed": st.integers(0, 99)},
        ),
    }
    for name, values in optional.items():
        if draw(st.booleans()):
            spec[name] = draw(values)
    name = draw(st.sampled_from(["race", "a-race", "r2d2"]))
    head = {"apiVersion": "racelab.dev/v1alpha1", "kind": "RaceExperiment"}
    return {**head, "metadata": {"name": name}, "spec": spec}


def respell(draw: st.DrawFn, document: dict[str, Any]) -> None:
    path = draw(st.sampled_from(NUMBERS) | st.sampled_from(TRUTHS) | st.sampled_from([*FIELDS, *OTHERS]))
    fitting = FITTING.get(FIELDS.get(path, {}).get("type", ""), SPELLINGS)
    put(document, path, Raw(draw(st.sampled_from(fitting) | st.sampled_from(fitting) | st.sampled_from(SPELLINGS))))


def bound(draw: st.DrawFn, document: dict[str, Any]) -> None:
    path = draw(st.sampled_from(NUMBERS))
    low, high = FIELDS[path]["minimum"], FIELDS[path]["maximum"]
    put(document, path, draw(st.sampled_from([low, high, low + 1, high - 1, low, high, low - 1, high + 1])))


def rename(draw: st.DrawFn, document: dict[str, Any]) -> None:
    path = draw(st.sampled_from(NAMES))
    names = FIELDS[path]["enum"]
    put(document, path, draw(st.sampled_from([*names, *names, names[0].upper(), names[-1] + "s"])))


def remove(draw: st.DrawFn, document: dict[str, Any]) -> None:
    drop(document, draw(st.sampled_from([*(path for path in FIELDS if path[-1] != 0), *OTHERS])))


def empty(draw: st.DrawFn, document: dict[str, Any]) -> None:
    put(document, draw(st.sampled_from([path for path in FIELDS if path[-1] != 0])), None)


def unknown(draw: st.DrawFn, document: dict[str, Any]) -> None:
    names = ["foo", "Load", "durationseconds", "window_milliseconds", "labels"]
    put(
        document, (*draw(st.sampled_from(MAPPINGS)), draw(st.sampled_from(names))), draw(st.sampled_from([1, {}, None]))
    )


def reshape(draw: st.DrawFn, document: dict[str, Any]) -> None:
    path = draw(st.sampled_from(LISTS))
    items = FIELDS[*path, 0].get("enum") or range(20)
    most = draw(st.sampled_from([0, 3, 3, 4, 18]))
    put(document, path, draw(st.lists(st.sampled_from(items), max_size=most, unique=draw(st.booleans()))))


def mix(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """Any strategies at any levels for any scenario."""
    put(document, ("spec", "scenario"), draw(st.sampled_from(sorted(CATALOG.scenarios))))
    put(document, ("spec", "strategies"), draw(st.lists(st.sampled_from(sorted(CATALOG.strategies)), max_size=2)))
    put(document, ("spec", "isolation"), draw(st.lists(st.sampled_from(CATALOG.isolations), max_size=2)))


def neighbours(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """Small values in the fields of the load that are compared with each other, or with the scenario's."""
    close = ("openingCents", "minimumCents", "priceCents", "amountCents", "accounts", "concurrency", "generators")
    first = draw(st.sampled_from(close))
    pairs = {"openingCents": "minimumCents", "priceCents": "amountCents", "generators": "concurrency"}
    put(document, ("spec", "load", "requests"), 5)
    for field in {first, pairs.get(first, first)}:
        put(document, ("spec", "load", field), draw(st.integers(0 if field == "openingCents" else 1, 3)))


def lengths(draw: st.DrawFn, document: dict[str, Any]) -> None:
    put(document, ("spec", "load"), draw(st.sampled_from([{}, {"durationSeconds": 5}, {"seed": 5}, None])))
    if draw(st.booleans()):
        put(document, ("spec", "load", "durationSeconds"), draw(st.sampled_from([1, 3600, None])))


def harmless(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """What every reader takes, however it is written."""
    path, value = draw(
        st.sampled_from(
            [
                (("spec", "suspend"), Raw("yes")),
                (("spec", "abort"), Raw("off")),
                (("spec", "ttlSecondsAfterFinished"), Raw("1e3")),
                (("spec", "replicas"), [Raw("3.0"), Raw("0b1")]),
                (("spec", "windowMilliseconds"), [Raw("0x10"), Raw("1_000")]),
                (("metadata", "labels"), {"a.b/c": "D_e.f", "g": None}),
                (("metadata", "annotations"), {"A.b/c": "anything, at all"}),
            ]
        )
    )
    put(document, path, value)


MUTATIONS: list[Callable[[st.DrawFn, dict[str, Any]], None]] = [
    respell, respell, bound, rename, remove, empty, unknown, reshape, mix, neighbours, neighbours, lengths,
    harmless, harmless, harmless, harmless, empty, remove, bound,
]  # fmt: skip


@st.composite
def mutated_files(draw: st.DrawFn) -> str:
    """Give the text of a file."""
    document = draw(whole())
    for mutation in draw(st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=draw(st.sampled_from([1, 1, 2])))):
        if isinstance(document.get("spec", {}), dict) and isinstance(document.get("metadata", {}), dict):
            mutation(draw, document)
    return text_of(document)
