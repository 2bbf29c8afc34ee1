"""Reading YAML without losing the line numbers, and without trusting the file.

Only what JSON can say as well is let through: mappings with text keys, lists, text, whole numbers, decimals,
true, false and null. A file is at most 1 MiB; aliases are followed up to a bound, so that a few lines cannot unfold
into billions of nodes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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
# YAML 1.1 also reads 010 as eight and 1:30 as ninety: such numbers stay text, and are then refused as text.
_DECIMAL: Final = re.compile(r"[-+]?(0|[1-9][0-9_]{0,24})")
_TRUE: Final = frozenset({"true", "yes", "on"})


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
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key_node.tag == _TAG + "merge":
                self.refuse(key_node, path, "a field's name must be a plain text: write the fields out one by one")
                continue
            if key in values:
                first = self.lines[*path, key]
                self.refuse(key_node, (*path, key), f"given twice, first on line {first}: keep one of them")
                continue
            self.lines[*path, key] = key_node.start_mark.line + 1
            values[key] = self.value(value_node, (*path, key))
        return values

    def scalar(self, node: yaml.Node, path: YamlPath) -> Value:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() in _TRUE
            case "int":
                return int(text.replace("_", "")) if _DECIMAL.fullmatch(text) else text
            case "float":
                return _decimal(text)
            case "str" | "timestamp" | "value":
                return text
            case _:
                self.refuse(node, path, f"the YAML tag {node.tag} is not allowed: write a plain value")
                return text


def _decimal(text: str) -> float | str:
    try:
        return float(text.replace("_", ""))
    except ValueError:  # .inf, .nan and base sixty
        return text


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
        for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
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
