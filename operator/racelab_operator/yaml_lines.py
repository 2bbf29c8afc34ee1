"""Reading YAML without losing the line numbers, and without trusting the file.

Plain words and numbers mean what they mean to kubectl, which reads YAML 1.1 as Go's library does: `yes` and `y` are
true, 010 is eight, 5.0 is five, 1:30 is a text. Two things that it lets pass are refused here: a field that is given
twice, and tags.

Only what JSON can say as well is let through: mappings with text keys, lists, text, whole numbers, decimals,
true, false and null. A file is at most 1 MiB; aliases are followed up to a bound, so that a few lines cannot unfold
into billions of nodes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import yaml

from racelab_operator.errors import InvalidFilesError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

YamlPath = tuple[str | int, ...]
Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

MAXIMUM_BYTES: Final = 1 << 20
MAXIMUM_NODES: Final = 20_000
MAXIMUM_DEPTH: Final = 32

_TAG: Final = "tag:yaml.org,2002:"
_WORDS: Final[Mapping[str, bool | float | None]] = (
    {cased: True for word in ("y", "yes", "true", "on") for cased in (word, word.capitalize(), word.upper())}
    | {cased: False for word in ("n", "no", "false", "off") for cased in (word, word.capitalize(), word.upper())}
    | dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | {sign + word: float(f"{sign}inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")}
    | dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
)
_INTEGER: Final = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_BASES: Final = (16, 2, 8, 10)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONGEST_INTEGER: Final = 70
_LARGEST_WRITTEN_OUT: Final = 1e21


@dataclass(frozen=True)
class Document:
    """One document of a file: its plain value, and on which line (from 1) the value of each path stands."""

    value: Value
    lines: Mapping[YamlPath, int]
    problems: tuple[Problem, ...]

    def line(self, path: YamlPath) -> int:
        """Give the line of a path, or of the nearest part of it that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Walk:
    """Turns composed nodes into plain values, and collects the lines and the problems."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[YamlPath, int] = {}
        self.problems: list[Problem] = []
        self.nodes = 0

    def refuse(self, node: yaml.Node, path: YamlPath, message: str) -> None:
        self.problems.append(Problem(self.file, node.start_mark.line + 1, dotted(path), message))

    def value(self, node: yaml.Node, path: YamlPath) -> Value:
        self.nodes += 1
        if self.nodes > MAXIMUM_NODES or len(path) > MAXIMUM_DEPTH:
            message = f"unfolds into too much: allowed {MAXIMUM_NODES} values and a depth of {MAXIMUM_DEPTH}"
            raise InvalidFilesError([Problem(self.file, node.start_mark.line + 1, "", f"{message}: avoid aliases")])
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, path)

    def mapping(self, node: yaml.MappingNode, path: YamlPath) -> dict[str, Value]:
        values: dict[str, Value] = {}
        merged: set[str] = set()
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                self.refuse(key_node, path, "a field's name must be a plain text: write the fields out one by one")
            elif key_node.tag == _TAG + "merge":
                self.merge(value_node, path, values, merged)
            elif key in values and key not in merged:
                first = self.lines[*path, key]
                self.refuse(key_node, (*path, key), f"given twice, first on line {first}: keep one of them")
            else:
                merged.discard(key)
                self.forget((*path, key))
                self.lines[*path, key] = key_node.start_mark.line + 1
                values[key] = self.value(value_node, (*path, key))
        return values

    def merge(self, node: yaml.Node, path: YamlPath, values: dict[str, Value], merged: set[str]) -> None:
        """Take over another mapping's fields, `<<: *other`; those that are given afterwards replace them."""
        for source in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            own = {name: self.lines[*path, name] for name in values if name not in merged}
            inner = self.value(source, path)
            if not isinstance(inner, dict):
                self.refuse(source, path, "given no mapping after <<: name one, such as <<: *other")
                continue
            for name in own.keys() & inner.keys():
                message = f"given on line {own[name]} and by <<: keep one of them, or write << first"
                self.refuse(node, (*path, name), message)
            values.update(inner)
            merged.update(inner)

    def forget(self, path: YamlPath) -> None:
        """Drop the lines of a value that another one replaces."""
        for old in [known for known in self.lines if known[: len(path)] == path]:
            del self.lines[old]

    def scalar(self, node: yaml.Node, path: YamlPath) -> Value:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "null" | "bool" | "int" | "float":
                return _plain(text)
            case "str" | "timestamp":
                return text
            case _:
                self.refuse(node, path, f"the YAML tag {node.tag} is not allowed: write a plain value")
                return text


def _plain(text: str) -> bool | int | float | str | None:
    """Read a word that stands without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _number(float(text)) if _FLOAT.fullmatch(text) else text
    digits = text.replace("_", "") if text[0] in "+-0123456789" else ""
    found = _INTEGER.fullmatch(digits) if len(digits) <= _LONGEST_INTEGER else None
    if found:
        sign, *written = found.groups()
        base, magnitude = next((base, part) for base, part in zip(_BASES, written, strict=True) if part is not None)
        integer = int(sign + magnitude, base)
        if -(2**63) <= integer < 2**64:
            return integer
    if _FLOAT.fullmatch(digits) and math.isfinite(number := float(digits)):
        return _number(number)
    return text


def _number(given: float) -> float | int:
    """Give a floating point number as JSON has it: 5.0 is 5."""
    if given.is_integer() and abs(given) < _LARGEST_WRITTEN_OUT:
        return int(Decimal(repr(given)))
    return given


class _Loader(yaml.SafeLoader):
    """Composes nodes; what a plain word means is told by `_plain` alone."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:
        if kind is not yaml.ScalarNode:
            return _TAG + ("seq" if kind is yaml.SequenceNode else "map")
        if not implicit[0]:
            return _TAG + "str"
        if value == "<<":
            return _TAG + "merge"
        return _TAG + ("str" if isinstance(_plain(value), str) else "int")


def dotted(path: YamlPath) -> str:
    """Write a path as people do: `spec.strategies[1]`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


def read_text(path: Path) -> str:
    """Read a file of at most 1 MiB of UTF-8 text.

    Raises:
        InvalidFilesError: the file cannot be read, is too large, or is no text.

    """
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAXIMUM_BYTES + 1)
    except FileNotFoundError:
        raise InvalidFilesError([Problem(file, 0, "", "no such file: check the name")]) from None
    except IsADirectoryError:
        raise InvalidFilesError([Problem(file, 0, "", "is a directory: name the files in it")]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidFilesError([Problem(file, 0, "", f"cannot be read: {reason}")]) from None
    if len(data) > MAXIMUM_BYTES:
        raise InvalidFilesError([Problem(file, 0, "", "is larger than 1 MiB: this is no experiment file")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidFilesError([Problem(file, line, "", "is not UTF-8 text: this is no experiment file")]) from None
    if "\0" in text:
        raise InvalidFilesError([Problem(file, 0, "", "is binary: this is no experiment file")])
    return text


def read_documents(text: str, file: str) -> list[Document]:
    """Read every document of a text; empty documents are left out.

    Raises:
        InvalidFilesError: the text is not YAML, or has no document.

    """
    documents = []
    try:
        for node in yaml.compose_all(text, Loader=_Loader):
            walk = _Walk(file)
            value = walk.value(node, ())
            if value is not None or walk.problems:
                documents.append(Document(value, walk.lines, tuple(walk.problems)))
    except yaml.YAMLError as error:
        raise InvalidFilesError([_syntax_problem(error, text, file)]) from None
    except RecursionError:
        message = f"is nested too deeply: allowed a depth of {MAXIMUM_DEPTH}"
        raise InvalidFilesError([Problem(file, 0, "", message)]) from None
    if not documents:
        message = "holds no experiment: `racelab init` writes an example"
        raise InvalidFilesError([Problem(file, 0, "", message)])
    return documents


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        position = getattr(error, "position", 0)
        line = text[:position].count("\n") + 1
        return Problem(file, line, "", "holds a character that YAML does not allow: this is no experiment file")
    line = mark.line + 1
    reason = str(getattr(error, "problem", None) or "cannot be parsed")
    lines = text.splitlines()
    if mark.line < len(lines) and "\t" in lines[mark.line]:
        return Problem(file, line, "", "is not YAML here: there is a tab, indent with spaces")
    return Problem(file, line, "", f"is not YAML: {reason}")
