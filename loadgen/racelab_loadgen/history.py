"""The history: one line per operation that was begun, streamed to a file, so that memory stays the same.

The format is the contract between the load generator and the auditor (docs/contracts.md).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from racelab_loadgen.latency import Latencies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from io import FileIO
    from pathlib import Path

    from racelab_loadgen.exchange import Exchange
    from racelab_loadgen.plan import Operation

Type = Literal["ok", "fail", "info"]
CHUNK_BYTES = 65_536
# 408: the server gave up waiting, which says nothing about what it had begun.
UNKNOWN_STATUSES = frozenset({408})
_LINES_PER_WRITE = 256


class Answer(NamedTuple):
    """What an answer says about its operation."""

    type: Type
    outcome: str | None
    entry: str | None
    error: str | None


def judge(status: int, body: bytes, accepted: frozenset[int] = frozenset()) -> Answer:
    """Read an answer: 2xx is ok, 4xx fail, everything else leaves it open (info).

    A body that names another outcome than `applied` under 2xx contradicts its status, and leaves it open too. Servers
    other than the bank answer without an outcome. Where `accepted` holds statuses, these are ok instead, whatever the
    body says, and all others under 500 are fail; 408 and 5xx leave it open all the same.
    """
    outcome, entry = _outcome(body)
    if accepted:
        if status in accepted:
            return Answer("ok", outcome, entry, None)
        if status < 500 and status not in UNKNOWN_STATUSES:
            return Answer("fail", outcome, entry, None)
    elif 200 <= status < 300:
        if outcome is None or outcome == "applied":
            return Answer("ok", outcome, entry, None)
        return Answer("info", outcome, entry, f"status {status} with outcome {outcome}")
    elif 400 <= status < 500 and status not in UNKNOWN_STATUSES:
        return Answer("fail", outcome, entry, None)
    return Answer("info", outcome, entry, f"status {status}")


def _outcome(body: bytes) -> tuple[str | None, str | None]:
    """Read outcome and entry from a body in JSON; None where there is none."""
    if body[:1] != b"{":
        return None, None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None, None
    outcome, entry = fields.get("outcome"), fields.get("entry")
    return outcome if isinstance(outcome, str) else None, entry if isinstance(entry, str) else None


@lru_cache(maxsize=1024)
def _quoted(text: str | None) -> str:
    return json.dumps(text)


class History:
    """Writes a history into a file and counts what it holds.

    Without a `path` the file is a temporary one without a name: nothing is left of it, however the process ends.
    `accepted` is `judge`'s.
    `epoch_ns` added to a `perf_counter_ns` value gives Unix time on the clock that the history is told in. Writing
    raises OSError when the disk is full.
    """

    def __init__(self, amount_cents: int, path: Path | None = None, accepted: frozenset[int] = frozenset()) -> None:
        self.place = str(path) if path is not None else tempfile.gettempdir()
        self._file: FileIO
        if path is not None:
            self._file = path.open("w+b", buffering=0)
        else:
            self._file = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115  # it is open as long as we are
        self._lines: list[str] = []
        self._amount_cents = amount_cents
        self._accepted = accepted
        self.epoch_ns = 0
        self.counts: dict[Type, int] = {"ok": 0, "fail": 0, "info": 0}
        # How many answers had which status.
        self.statuses: Counter[int] = Counter()
        self.latencies = Latencies()

    @property
    def size_bytes(self) -> int:
        """How large the file is."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def total(self) -> int:
        """How many operations are recorded."""
        return sum(self.counts.values())

    def answered(self, exchange: Exchange, operation: Operation) -> None:
        """Record an operation whose answer is here."""
        status = exchange.status
        kind, outcome, entry, error = judge(status, exchange.answer, self._accepted)
        self.counts[kind] += 1
        self.statuses[status] += 1
        account = "null" if operation.account is None else operation.account
        begin_ns, end_ns = exchange.begin_ns, exchange.end_ns
        self.latencies.add((end_ns - begin_ns) // 1000)
        # The same as json.dumps would write, for a fifth of its time.
        self._lines.append(
            f'{{"operation": "{operation.number}", "type": "{kind}", "account": {account}, '
            f'"amount_cents": {self._amount_cents}, "status": {status}, "outcome": {_quoted(outcome)}, '
            f'"entry": {"null" if entry is None else json.dumps(entry)}, "replica": {_quoted(exchange.replica)}, '
            f'"begin_microseconds": {(begin_ns + self.epoch_ns) // 1000}, '
            f'"end_microseconds": {(end_ns + self.epoch_ns) // 1000}, "error": {_quoted(error)}}}\n'
        )
        if len(self._lines) >= _LINES_PER_WRITE:
            self._write()

    def unanswered(self, operation: Operation, kind: Type, begin_ns: int, end_ns: int, error: str) -> None:
        """Record an operation without an answer: `fail` when it was never sent, otherwise `info`."""
        self.counts[kind] += 1
        line: dict[str, Any] = {
            "operation": str(operation.number),
            "type": kind,
            "account": operation.account,
            "amount_cents": self._amount_cents,
            "status": None,
            "outcome": None,
            "entry": None,
            "replica": None,
            "begin_microseconds": (begin_ns + self.epoch_ns) // 1000,
            "end_microseconds": (end_ns + self.epoch_ns) // 1000,
            "error": error,
        }
        self._lines.append(json.dumps(line) + "\n")
        if len(self._lines) >= _LINES_PER_WRITE:
            self._write()

    def finish(self, *, started_ns: int, start_skew_microseconds: int, connections: int) -> None:
        """Write the last line, without which a history counts as truncated. `started_ns` is a `perf_counter_ns`."""
        end = {
            "end": self.total,
            "started_at_microseconds": (started_ns + self.epoch_ns) // 1000,
            "start_skew_microseconds": start_skew_microseconds,
            "connections": connections,
        }
        self._lines.append(json.dumps(end) + "\n")
        self._write()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the file in pieces, for an upload."""
        position = 0
        while chunk := os.pread(self._file.fileno(), CHUNK_BYTES, position):
            position += len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the file; a temporary one is gone with that."""
        self._file.close()

    def _write(self) -> None:
        data = memoryview("".join(self._lines).encode())
        self._lines.clear()
        while data:
            data = data[self._file.write(data) :]
