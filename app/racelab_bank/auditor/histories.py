"""Histories: NDJSON, read line by line and streamed into PostgreSQL with COPY, whole or not at all."""

from collections.abc import Iterator
from typing import Annotated, Literal, Protocol
from uuid import UUID

import psycopg
from django.db import DataError, connection, transaction
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from racelab_bank.models import Generator, Run

_LONGEST_LINE_BYTES = 16 * 1024
_Microseconds = Annotated[int, Field(ge=0, lt=2**62)]


class IncompleteHistory(Exception):
    """A history that is truncated or wrong, told with its line number: 400, and nothing is stored."""


class Lines(Protocol):
    """A readable body."""

    def readline(self, size: int, /) -> bytes:
        """Return the next line with its line end, at most `size` bytes."""


class OperationLine(BaseModel):
    """One operation, as in docs/contracts.md."""

    model_config = ConfigDict(extra="forbid")

    operation: Annotated[str, Field(min_length=1, max_length=100)]
    type: Literal["ok", "fail", "info"]
    account: Annotated[int, Field(ge=0, lt=2**63)] | None
    amount_cents: Annotated[int, Field(ge=0, lt=2**62)]
    status: Annotated[int, Field(ge=100, le=999)] | None
    outcome: Annotated[str, Field(max_length=20)] | None
    entry: UUID | None
    replica: Annotated[str, Field(max_length=100)] | None
    begin_microseconds: _Microseconds
    end_microseconds: _Microseconds
    error: str | None


class EndLine(BaseModel):
    """The last line: how many lines came before it, and how the start went."""

    model_config = ConfigDict(extra="forbid")

    end: Annotated[int, Field(ge=0)]
    started_at_microseconds: _Microseconds | None
    start_skew_microseconds: Annotated[int, Field(ge=0, lt=2**62)] | None
    connections: Annotated[int, Field(ge=0)]


_LINE: TypeAdapter[OperationLine | EndLine] = TypeAdapter(OperationLine | EndLine)

_COPY = """COPY operation (run, generator, key, type, account, amount_cents, status, outcome, entry, replica,
    begin_microseconds, end_microseconds, error) FROM STDIN"""


def store(run: Run, index: int, body: Lines) -> int:
    """Store generator `index`'s history, replacing what was stored for it; return the number of operations.

    Raises `IncompleteHistory` and stores nothing when the end line is missing or a line is wrong.
    """
    reader = _Reader(body)
    try:
        with transaction.atomic():
            generator = Generator.objects.select_for_update().get(run=run, index=index)
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM operation WHERE run = %s AND generator = %s", [run.pk, index])
                with cursor.copy(_COPY) as copy:
                    for line in reader.operations():
                        copy.write_row(_row(run.pk, index, line))
            assert reader.end is not None  # noqa: S101 - operations() raises without it
            generator.history = Generator.History.COMPLETE
            generator.reason = ""
            generator.start_skew_microseconds = reader.end.start_skew_microseconds
            generator.save()
            Run.objects.filter(pk=run.pk).update(report=None)  # what was judged without this history is void
    except (DataError, psycopg.DataError) as error:  # COPY's errors are not wrapped by Django
        raise IncompleteHistory(f"a text in it cannot be stored: {error}".strip()) from error
    return reader.count


def lose(run: Run, index: int, reason: str) -> None:
    """Note that generator `index`'s history will never come. A history that is there stays."""
    changed = Generator.objects.filter(run=run, index=index).exclude(history=Generator.History.COMPLETE)
    if changed.update(history=Generator.History.LOST, reason=reason):
        Run.objects.filter(pk=run.pk).update(report=None)


def _row(run: int, generator: int, line: OperationLine) -> tuple[object, ...]:
    return (
        run, generator, line.operation, line.type, line.account, line.amount_cents, line.status, line.outcome,
        line.entry, line.replica, line.begin_microseconds, line.end_microseconds, line.error,
    )  # fmt: skip


class _Reader:
    """Reads the lines of one history; `count` operations so far, and the `end` line once it came."""

    def __init__(self, body: Lines) -> None:
        self._body = body
        self.count = 0
        self.end: EndLine | None = None

    def operations(self) -> Iterator[OperationLine]:
        """Yield every operation; raise `IncompleteHistory` where the history breaks off or breaks its format."""
        while self.end is None:
            line = self._next()
            if isinstance(line, EndLine):
                self.end = line
            else:
                self.count += 1
                yield line
        if self.end.end != self.count:
            raise IncompleteHistory(f"the end line says {self.end.end} operations, there are {self.count}")
        if self._body.readline(1):
            raise IncompleteHistory(f"line {self.count + 2}: there is more after the end line")

    def _next(self) -> OperationLine | EndLine:
        number = self.count + 1
        raw = self._body.readline(_LONGEST_LINE_BYTES)
        if not raw:
            raise IncompleteHistory(f"line {number}: the history breaks off without its end line")
        if len(raw) == _LONGEST_LINE_BYTES and not raw.endswith(b"\n"):
            raise IncompleteHistory(f"line {number}: longer than {_LONGEST_LINE_BYTES} bytes")
        try:
            return _LINE.validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise IncompleteHistory(f"line {number}: {place}: {first['msg']}") from error
