"""Telling what is wrong in an experiment file: what was given, what is allowed, what to do.

Limits are read from the model's JSON Schema, so a message cannot disagree with the check.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from racelab_operator.errors import Problem
from racelab_operator.yaml_lines import Document, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_core import ErrorDetails

_LONGEST: Final = 40

Schema = dict[str, Any]


def refused(details: Iterable[tuple[tuple[str | int, ...], object, str]]) -> None:
    """Refuse values by path, all at once, with a message for each: `(path, given, message)`.

    Raises:
        ValidationError: there is any.

    """
    problems = [
        InitErrorDetails(type=PydanticCustomError("refused", "{message}", {"message": message}), loc=path, input=given)
        for path, given, message in details
    ]
    if problems:
        raise ValidationError.from_exception_data("RaceExperiment", problems)


def problems_of(errors: Iterable[ErrorDetails], document: Document, schema: Schema, file: str) -> list[Problem]:
    """Turn pydantic's errors into one line each, in the order of the file."""
    found = set()
    for details in errors:
        # Which of two fields is missing cannot be said: that is told of the mapping they belong to.
        path = details["loc"][:-1] if details["type"] == "of_load" else details["loc"]
        if message := _message(details, _schema_at(path, schema), schema):
            found.add(Problem(file, document.line(path), dotted(path), message))
    return sorted(found)


def _message(details: ErrorDetails, here: Schema, schema: Schema) -> str:
    """Say what is wrong; nothing where another error says it already."""
    given, path = details["input"], details["loc"]
    match details["type"]:
        case "missing":
            return f"missing: {_allowed(here)}"
        case "extra_forbidden":
            return _unknown_field(str(path[-1]), _schema_at(path[:-1], schema))
        case "refused" | "of_load":
            return details["msg"]
        case "too_short" | "too_long" if here.get("type") == "array":
            count = len(given) if isinstance(given, list | tuple) else 0
            if here["minItems"] <= count <= here["maxItems"]:  # pydantic counts the valid items only
                return ""
            return f"given {count} items, allowed {here['minItems']} to {here['maxItems']}"
        case _:
            return f"given {_shown(given)}, {_allowed(here)}{_meant(given, here.get('enum', ()))}"


def _schema_at(path: Iterable[str | int], root: Schema) -> Schema:
    """Find the schema of a path; an empty one where the path leads nowhere."""
    here = _resolved(root, root)
    for part in path:
        inner = here.get("items", {}) if isinstance(part, int) else here.get("properties", {}).get(part, {})
        here = _resolved(inner, root)
    return here


def _resolved(schema: Mapping[str, Any], root: Schema) -> Schema:
    """Follow a reference, and take the choice that is not null."""
    merged = dict(schema)
    for choice in merged.pop("anyOf", ()):
        if choice.get("type") != "null":
            merged |= choice
    if (reference := merged.pop("$ref", None)) is not None:
        merged |= _resolved(root["$defs"][reference.rpartition("/")[2]], root)
    return merged


def _allowed(schema: Schema) -> str:
    """Say what a schema allows."""
    match schema:
        case {"const": only}:
            allowed = str(only)
        case {"enum": names}:
            allowed = ", ".join(names)
        case {"type": "integer", "minimum": low, "maximum": high}:
            allowed = f"{low} to {high}, a whole number in digits"
        case {"type": "boolean"}:
            allowed = "true, false"
        case {"type": "array", "items": items}:
            allowed = f"a list, such as [{items['enum'][0] if 'enum' in items else items['minimum']}]"
        case {"type": "string", "maxLength": longest}:
            letters = "lower-case letters, digits and -, with a letter or a digit at both ends"
            allowed = f"a text of 1 to {longest} {letters}"
        case {"properties": fields}:
            allowed = f"a mapping with {', '.join(fields)}"
        case _:
            allowed = "a mapping"
    return f"allowed {allowed}"


def _unknown_field(name: str, schema: Schema) -> str:
    fields = list(schema.get("properties", {}))
    return f"unknown field, allowed {', '.join(fields)}{_meant(name, fields)}"


def _meant(given: object, allowed: Iterable[object]) -> str:
    """Suggest the closest name, where one is close."""
    names = [str(name) for name in allowed]
    folded = {name.casefold().replace("_", "").replace("-", ""): name for name in names}
    close = difflib.get_close_matches(str(given).casefold().replace("_", "").replace("-", ""), folded, 1, cutoff=0.6)
    return f": did you mean {folded[close[0]]}?" if close else ""


def _shown(given: object) -> str:
    """Write a value on one line, cut where it is long."""
    match given:
        case None:
            return "nothing"
        case bool():
            return str(given).lower()
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
    text = repr(given) if isinstance(given, str) else str(given)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
