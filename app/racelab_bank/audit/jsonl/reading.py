"""Reads a history file: every line checked, every mistake told with its line, and only some lines kept as objects.

A file is taken whole or not at all: it begins with what it is and ends with how many lines of each kind there were, so
that a file which was cut off, or lost lines in between, is no history. The order of the lines between does not matter.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from racelab_bank.audit.history import History
from racelab_bank.audit.jsonl import checks
from racelab_bank.audit.jsonl.lines import (
    COUNTED,
    LONGEST_LINE_BYTES,
    VERSION,
    EndLine,
    GeneratorLine,
    HistoryLine,
    Line,
)
from racelab_bank.audit.jsonl.problems import WrongHistory, what_does_not_fit
from racelab_bank.audit.jsonl.stacks import ACCOUNTS, ENTRIES, INSTALLS, OPERATIONS, READS, Names, Stack
from racelab_bank.audit.rows import Histories

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECODER: Final = msgspec.json.Decoder(Line)
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """What a file holds: its first line, and the history."""

    first: HistoryLine
    history: History


def read(stream: IO[bytes]) -> HistoryFile:
    """Read a history file. Raises `WrongHistory` with the number of the line that is wrong."""
    reader = _Reader()
    for number, raw in enumerate(_raw_lines(stream), start=1):
        reader.take(number, raw)
    return reader.done()


def _raw_lines(stream: IO[bytes]) -> Iterator[bytes]:
    for number in itertools.count(1):
        raw = stream.readline(LONGEST_LINE_BYTES + 1)
        if not raw:
            return
        if number == 1 and raw.startswith(_GZIP):
            raise WrongHistory(1, "the file is compressed: unpack it first, as in zcat FILE | racelab verify -")
        if len(raw) > LONGEST_LINE_BYTES and not raw.endswith(b"\n"):
            raise WrongHistory(number, f"longer than {LONGEST_LINE_BYTES} bytes, which no line of a history is")
        yield raw


@dataclass
class _Reader:
    """What has been read so far."""

    first: HistoryLine | None = None
    end: EndLine | None = None
    last_number: int = 0
    names: Names = field(default_factory=Names)
    generators: dict[int, tuple[int, GeneratorLine]] = field(default_factory=dict)
    stacks: dict[type[Any], Stack] = field(init=False)

    def __post_init__(self) -> None:
        shapes = (ACCOUNTS, ENTRIES, INSTALLS, READS, OPERATIONS)
        self.stacks = {shape.line: Stack(shape, self.names) for shape in shapes}

    def take(self, number: int, raw: bytes) -> None:
        """Take the next line."""
        if self.end is not None:
            raise WrongHistory(number, "there is more after the end line")
        line = _decoded(number, raw)
        self.last_number = number
        stack = self.stacks.get(type(line))
        if self.first is None:
            self.first = _first(number, line)
        elif stack is not None:
            stack.add(number, line)
        elif isinstance(line, GeneratorLine):
            self._generator(number, line)
        elif isinstance(line, EndLine):
            self.end = line
        else:
            raise WrongHistory(number, "a second history begins here; one file holds one")

    def _generator(self, number: int, line: GeneratorLine) -> None:
        assert self.first is not None  # noqa: S101 - it is the first line that was taken
        if line.index >= self.first.generators:
            raise WrongHistory(
                number, f"index: given {line.index}, allowed below {self.first.generators}, which line 1 says"
            )
        if line.index in self.generators:
            earlier, _ = self.generators[line.index]
            raise WrongHistory(number, f"generator {line.index} stands in line {earlier} already")
        self.generators[line.index] = (number, line)

    def done(self) -> HistoryFile:
        """Return what was read, once it is known to be whole."""
        if self.first is None:
            raise WrongHistory(1, "the file is empty; a history begins with a line of kind history")
        if self.end is None:
            raise WrongHistory(self.last_number + 1, "the history breaks off without its end line")
        read = {shape: stack.table() for shape, stack in ((stack.shape, stack) for stack in self.stacks.values())}
        accounts, entries, installs = read[ACCOUNTS], read[ENTRIES], read[INSTALLS]
        reads, operations = read[READS], read[OPERATIONS]
        check = checks.Checks(accounts, entries, installs, reads, operations, self.names)
        check.repetitions()
        self._check_counts(self.end)
        check.references(self.first.generators)
        history = History(
            accounts.table, entries.table, installs.table, operations.table, self._histories(), reads.table,
            self.names.told,
        )  # fmt: skip
        return HistoryFile(self.first, history)

    def _check_counts(self, end: EndLine) -> None:
        for name, kind in COUNTED.items():
            told = getattr(end, name)
            there = len(self.generators) if kind is GeneratorLine else self.stacks[kind].count
            if told is not msgspec.UNSET and told != there:
                raise WrongHistory(self.last_number, f"the end line says {told} {name}, there are {there}")

    def _histories(self) -> Histories:
        assert self.first is not None  # noqa: S101 - callers look first
        lines = [line for _, line in self.generators.values()]
        return Histories(
            expected=self.first.generators,
            complete=frozenset(line.index for line in lines if line.state == "complete"),
            lost={line.index: line.reason or "no reason given" for line in lines if line.state == "lost"},
        )


def _first(number: int, line: Line) -> HistoryLine:
    if not isinstance(line, HistoryLine):
        kind = type(line).__struct_config__.tag
        raise WrongHistory(number, f'kind: given "{kind}", allowed "history": a file begins with what it is')
    if line.version != VERSION:
        raise WrongHistory(number, f"version: given {line.version}, allowed {VERSION}, which this racelab reads")
    return line


def _decoded(number: int, raw: bytes) -> Line:
    if number == 1 and raw.startswith(_BOM):
        raise WrongHistory(1, "begins with a byte order mark: save the file as UTF-8 without one")
    try:
        return _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WrongHistory(number, _what_is_wrong(raw, error)) from None


def _what_is_wrong(raw: bytes, error: Exception) -> str:
    if not raw.strip():
        return "empty; every line is one JSON object"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return f"byte {wrong.start + 1} is not UTF-8"
    if isinstance(error, msgspec.ValidationError):
        return what_does_not_fit(raw, str(error))
    if not raw.endswith(b"\n"):
        return f"the line breaks off: {error}"
    return f"no JSON: {error}"
