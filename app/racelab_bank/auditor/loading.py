"""Loads a whole run from PostgreSQL into the tables of a history: streamed, never row by row in Python."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from racelab_bank.audit.columns import Booleans, Column, Ids, Integers, Keys, Words
from racelab_bank.audit.tables import Accounts, Entries, Installs, Operations, Reads, Table, kinds
from racelab_bank.databases.streaming import Field, columns, nullable, nullable_uuid, number, text, uuid
from racelab_bank.models import Run

# A run's rows were all written after it was opened: the index on `transaction` skips everything older.
_ENTRIES = """FROM entry e JOIN account a ON a.id = e.account
WHERE a.run_id = %(run)s AND e.transaction >= %(since)s::xid8"""
_INSTALLS = """FROM install i JOIN account a ON a.id = i.account
WHERE a.run_id = %(run)s AND i.transaction >= %(since)s::xid8"""
_READS = """FROM read r JOIN account a ON a.id = r.account
WHERE a.run_id = %(run)s AND r.transaction >= %(since)s::xid8"""
_OPERATIONS = "FROM operation o WHERE o.run = %(run)s"
_ACCOUNTS = "FROM account a WHERE a.run_id = %(run)s"

_Table = TypeVar("_Table", bound=Table[Any])

_HASH = "hashtextextended({text}, {seed})"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The different combinations of some texts, each with its hash: what rows bring is the hash.

    `texts` has one tuple per combination, `hashes` is ascending and of the same length. No two have one hash: another
    seed is taken until that is so.
    """

    field: Field
    hashes: NDArray[np.int64]
    texts: list[tuple[str | None, ...]]

    @classmethod
    def of(cls, source: str, parameters: dict[str, Any], *expressions: str) -> "Vocabulary":
        """Ask for all combinations of these expressions."""
        # Each with its length before it, or two different combinations could read the same.
        told = " || ".join(f"coalesce(length({one}) || ':' || {one}, '-')" for one in expressions)
        for seed in range(100):
            hashed = _HASH.format(text=told, seed=seed)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT DISTINCT {hashed}, {', '.join(expressions)} {source} ORDER BY 1", parameters)
                found = cursor.fetchall()
            hashes = np.array([row[0] for row in found], np.int64)
            if (hashes[1:] != hashes[:-1]).all():
                return cls(Field("words", hashed, ">i8"), hashes, [tuple(row[1:]) for row in found])
        raise AssertionError("a hundred hash functions in a row cannot all collide")

    def words(self, hashed: NDArray[np.int64]) -> list[Words]:
        """Return one column per expression."""
        at = np.searchsorted(self.hashes, hashed)
        found = []
        for values in zip(*self.texts, strict=True) if self.texts else ():
            column = Words.of(values)
            known = None if column.known is None else column.known[at]
            found.append(Words(column.codes[at], column.vocabulary, known))
        return found


def tables(run: Run) -> tuple[Accounts, Entries, Installs, Operations, Reads]:
    """Load a run. Call it within a `snapshot`."""
    parameters = {"run": run.pk, "since": run.open_transaction}
    return (
        _accounts(parameters),
        _entries(parameters),
        _installs(parameters),
        _operations(parameters),
        _reads(parameters),
    )


def _loaded(fields: list[Field], source: str, parameters: dict[str, Any], order: str) -> dict[str, NDArray[Any]]:
    """Return the fields of all rows, in ascending order of the field `order`: seldom are they in another one."""
    connection.ensure_connection()
    found = columns(connection.connection, fields, source, parameters)
    if (found[order][1:] < found[order][:-1]).any():
        ascending = np.argsort(found[order], kind="stable")
        return {name: values[ascending] for name, values in found.items()}
    return found


def _table(table: type[_Table], found: dict[str, NDArray[Any]], **given: Integers | Words) -> _Table:
    """Make a table of fields that are named as its columns; `given` are columns that are not made of one field."""
    made: dict[str, Column] = given | {
        name: _column(kind, found, name) for name, kind in kinds(table).items() if name not in given
    }
    return table(**made)


def _column(kind: type[Column], found: dict[str, NDArray[Any]], name: str) -> Column:
    values, flags = found[name], found.get(f"{name}?")
    known = None if flags is None or flags.all() else flags
    if kind is Ids:
        return Ids.from_bytes(values.tobytes(), known)
    if kind is Integers:
        return Integers(values, known)
    return Keys(values) if kind is Keys else Booleans(values)


def _longest(expression: str, source: str, parameters: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(octet_length({expression})), 0) {source}", parameters)
        (longest,) = cursor.fetchone() or (0,)
    return max(1, int(longest))


def _accounts(parameters: dict[str, Any]) -> Accounts:
    fields = [
        *number("id", "a.id"), *number("opening_cents", "a.opening_cents"), *number("balance_cents", "a.balance_cents"),
        *number("minimum_cents", "a.minimum_cents"), *uuid("head", "a.head"), *nullable("owner", "a.owner"),
        Field("derived", "a.derived", "?"),
    ]  # fmt: skip
    found = _loaded(fields, _ACCOUNTS, parameters, "id")
    return _table(Accounts, found)


def _entries(parameters: dict[str, Any]) -> Entries:
    vocabulary = Vocabulary.of(_ENTRIES, parameters, "e.strategy", "e.replica", "e.worker")
    width = _longest("e.operation", _ENTRIES, parameters)
    fields = [
        *number("sequence", "e.sequence"), *uuid("id", "e.id"), *number("leg", "e.leg"),
        *number("leg_count", "e.leg_count"), *number("account", "e.account"), *text("operation", "e.operation", width),
        *number("amount_cents", "e.amount_cents"), *nullable("balance_before_cents", "e.balance_before_cents"),
        *nullable("balance_after_cents", "e.balance_after_cents"), *nullable_uuid("previous", "e.previous"),
        vocabulary.field, *number("transaction", "e.transaction::text"),
        *nullable("read_at_microseconds", "e.read_at_microseconds"),
        *number("written_at_microseconds", "e.written_at_microseconds"),
        Field("summed", "(e.snapshot IS NOT NULL)", "?"),
    ]  # fmt: skip
    found = _loaded(fields, _ENTRIES, parameters, "sequence")
    strategy, replica, worker = vocabulary.words(found["words"]) or [Words.of([])] * 3
    seen = _seen_entries(parameters, found)
    return _table(Entries, found, strategy=strategy, replica=replica, worker=worker, seen_entries=seen)


def _seen_entries(parameters: dict[str, Any], found: dict[str, NDArray[Any]]) -> Integers:
    """Count, for each entry of a derived account, how many others of its account its writer's snapshot could see.

    A snapshot sees what ended before `xmax`, but not what was going on (`xip`); nor does a writer see its own entry.
    """
    seen = np.zeros(len(found["sequence"]), np.int64)
    summed: NDArray[np.bool_] = found["summed"]
    if not summed.any():
        return Integers(seen, summed)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT e.sequence, e.snapshot::text {_ENTRIES} AND e.snapshot IS NOT NULL", parameters)
        snapshots = dict(cursor.fetchall())
    rows = np.flatnonzero(summed)
    written: dict[int, list[int]] = {}
    for row in rows[np.argsort(found["transaction"][rows], kind="stable")].tolist():
        written.setdefault(int(found["account"][row]), []).append(int(found["transaction"][row]))
    for row in rows.tolist():
        _, xmax, going_on = snapshots[int(found["sequence"][row])].split(":")
        there = written[int(found["account"][row])]
        unseen = {int(one) for one in going_on.split(",") if one} | {int(found["transaction"][row])}
        visible = bisect_left(there, int(xmax))
        hidden = (bisect_right(there, one) - bisect_left(there, one) for one in unseen if one < int(xmax))
        seen[row] = visible - sum(hidden)
    return Integers(seen, None if summed.all() else summed)


def _installs(parameters: dict[str, Any]) -> Installs:
    fields = [
        *number("sequence", "i.sequence"), *number("account", "i.account"), *nullable_uuid("old_head", "i.old_head"),
        *uuid("new_head", "i.new_head"), *number("old_balance_cents", "i.old_balance_cents"),
        *number("new_balance_cents", "i.new_balance_cents"), *number("transaction", "i.transaction::text"),
    ]  # fmt: skip
    found = _loaded(fields, _INSTALLS, parameters, "sequence")
    return _table(Installs, found)


def _reads(parameters: dict[str, Any]) -> Reads:
    fields = [
        *number("sequence", "r.sequence"), *uuid("entry", "r.entry"), *number("account", "r.account"),
        *uuid("seen_head", "r.seen_head"),
    ]  # fmt: skip
    found = _loaded(fields, _READS, parameters, "sequence")
    return _table(Reads, found)


def _operations(parameters: dict[str, Any]) -> Operations:
    vocabulary = Vocabulary.of(_OPERATIONS, parameters, "o.type", "o.outcome", "o.replica", "o.error")
    width = _longest("o.key", _OPERATIONS, parameters)
    fields = [
        *number("sequence", "o.sequence"), *number("generator", "o.generator"), *text("key", "o.key", width),
        vocabulary.field, *nullable("account", "o.account"), *number("amount_cents", "o.amount_cents"),
        *nullable("status", "o.status"), *nullable_uuid("entry", "o.entry"),
        *number("begin_microseconds", "o.begin_microseconds"), *number("end_microseconds", "o.end_microseconds"),
    ]  # fmt: skip
    found = _loaded(fields, _OPERATIONS, parameters, "sequence")
    type_, outcome, replica, error = vocabulary.words(found["words"]) or [Words.of([])] * 4
    return _table(Operations, found, type=type_, outcome=outcome, replica=replica, error=error)
