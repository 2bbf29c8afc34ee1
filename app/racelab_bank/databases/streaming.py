"""Reads rows of PostgreSQL into arrays as they come: COPY in the binary format, every field of one width.

What may be null or differs in length is asked for in two fixed parts: a text as its bytes filled up with zeros, a null
as a value and a flag. Rows are then records of one size, and a block of them is an array without any parsing.

Source: PostgreSQL's documentation of COPY, "Binary Format".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psycopg import ClientCursor
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from psycopg import Connection
    from psycopg.pq.abc import PGresult

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_HEADER_BYTES: Final = len(_SIGNATURE) + 8
_TRAILER: Final = b"\xff\xff"

#: About how many bytes of rows are made into an array at a time.
_BLOCK_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, the SQL expression that gives it, and NumPy's type of its bytes."""

    name: str
    sql: str
    type: str


def number(name: str, sql: str | None = None) -> list[Field]:
    """Return the field of a whole number that is always there."""
    return [Field(name, f"({sql or name})::bigint", ">i8")]


def nullable(name: str, sql: str | None = None) -> list[Field]:
    """Return the fields of a whole number that may be null: the number or 0, and whether it is there."""
    column = sql or name
    return [Field(name, f"coalesce({column}, 0)::bigint", ">i8"), known(name, column)]


def uuid(name: str, sql: str | None = None) -> list[Field]:
    """Return the field of a UUID that is always there."""
    return [Field(name, sql or name, "V16")]


def nullable_uuid(name: str, sql: str | None = None) -> list[Field]:
    """Return the fields of a UUID that may be null: the UUID or 16 zeros, and whether it is there."""
    column = sql or name
    nothing = "'00000000-0000-0000-0000-000000000000'::uuid"
    return [Field(name, f"coalesce({column}, {nothing})", "V16"), known(name, column)]


def text(name: str, sql: str, width: int) -> list[Field]:
    """Return the field of a text, as UTF-8 filled up with zeros to `width` bytes, which must be enough."""
    zeros = f"decode(repeat('00', {width}), 'hex')"
    return [Field(name, f"substr(convert_to({sql}, 'UTF8') || {zeros}, 1, {width})", f"S{width}")]


def known(name: str, column: str) -> Field:
    """Return the field that says whether a column is not null."""
    return Field(f"{name}?", f"({column} IS NOT NULL)", "?")


def columns(
    connection: Connection[Any], fields: Sequence[Field], source: str, parameters: Mapping[str, object]
) -> dict[str, NDArray[Any]]:
    """Return the fields of all rows of `source` (FROM …, with named parameters), one array per field.

    Raises `psycopg.Error` for what the database refuses, `ValueError` when it does not send what was asked for.
    """
    selected = ", ".join(field.sql for field in fields)
    statement = f"COPY (SELECT {selected} {source}) TO STDOUT (FORMAT binary)"
    blocks: dict[str, list[NDArray[Any]]] = {field.name: [] for field in fields}
    for block in _blocks(_messages(connection, ClientCursor(connection).mogrify(statement, parameters)), fields):
        for field in fields:
            blocks[field.name].append(block[field.name].astype(_native(field)))
    return {field.name: np.concatenate([np.empty(0, _native(field)), *blocks.pop(field.name)]) for field in fields}


def _native(field: Field) -> np.dtype[Any]:
    return np.dtype(field.type).newbyteorder("=")


def _messages(connection: Connection[Any], statement: str) -> Iterator[bytes | memoryview]:
    """Yield what the server sends, a message per row.

    Straight from libpq: psycopg's own `copy()` looks for a timeout and a cancellation at every row, which takes longer
    than everything else together.
    """
    protocol = connection.pgconn
    result: PGresult | None = protocol.exec_(statement.encode())
    while result is not None and result.status == ExecStatus.COPY_OUT:
        size, data = protocol.get_copy_data(0)
        if size < 0:
            break
        yield data
    while result is not None:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
        result = protocol.get_result()


def _blocks(messages: Iterable[bytes | memoryview], fields: Sequence[Field]) -> Iterator[NDArray[Any]]:
    """Yield arrays of records, of about `_BLOCK_BYTES` each."""
    record = np.dtype([("fields", ">i2")] + [part for one in fields for part in _parts(one)])
    waiting = bytearray()
    begun = False
    for message in messages:
        waiting += message
        if not begun:
            if len(waiting) < _HEADER_BYTES:
                continue
            if not waiting.startswith(_SIGNATURE):
                raise ValueError("the server did not answer with binary rows")
            del waiting[:_HEADER_BYTES]
            begun = True
        if len(waiting) >= _BLOCK_BYTES:
            whole = len(waiting) // record.itemsize * record.itemsize
            yield _checked(np.frombuffer(bytes(waiting[:whole]), record), fields)
            del waiting[:whole]
    if not waiting.endswith(_TRAILER) or (len(waiting) - len(_TRAILER)) % record.itemsize:
        raise ValueError("the server's rows end in the middle of one")
    yield _checked(np.frombuffer(bytes(waiting[: -len(_TRAILER)]), record), fields)


def _parts(field: Field) -> list[tuple[str, str]]:
    return [(f"{field.name} bytes", ">i4"), (field.name, field.type)]


def _checked(block: NDArray[Any], fields: Sequence[Field]) -> NDArray[Any]:
    """Return the block when every record has the fields and widths that were asked for."""
    good = (block["fields"] == len(fields)).all()
    for field in fields:
        good = good and (block[f"{field.name} bytes"] == np.dtype(field.type).itemsize).all()
    if not good:
        raise ValueError("the server sent a row that is not of the widths asked for")
    return block
