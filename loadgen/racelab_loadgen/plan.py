"""The plan: which operations, in which order, on which accounts. Pure: same flags and seed, same plan.

Operation k of the whole plan has the key "k" and stands at position k mod concurrency of batch ⌊k ÷ concurrency⌋. Of N
generators, generator i sends the positions p of every batch with p mod N = i: shares are disjoint, together they are
the plan, and a batch is spread over all generators.

Seeded accounts come from SplitMix64, a generator of ten lines that is the same everywhere and for ever, and that gives
the k-th number without the ones before it: Python's `random` promises neither.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Choice = Literal["random", "batch"]
CHOICES: tuple[Choice, ...] = ("random", "batch")
PLACEHOLDERS = ("account", "amount", "operation")
DEFAULT_FORM = "account={account}&amount={amount}&operation={operation}"
_MASK = 2**64 - 1


class Operation(NamedTuple):
    """One operation: its number in the whole plan, which is its key, and the id of its account."""

    number: int
    account: int


def splitmix64(seed: int, index: int) -> int:
    """Give the `index`-th 64-bit number of the sequence of `seed` (Steele, Lea and Flood, 2014)."""
    state = (seed + (index + 1) * 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan and one generator's share of it. Raises ValueError where it makes no sense.

    `requests` None: endless. `text`, where it is given, is sent instead of `form`: any body, in which only the known
    placeholders mean something.
    """

    accounts: tuple[int, ...] = (1,)
    requests: int | None
    concurrency: int = 1
    target: Choice = "random"
    seed: int = 0
    amount_cents: int = 100
    form: str = DEFAULT_FORM
    text: str | None = None
    generator: int = 0
    generators: int = 1
    _template: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.accounts:
            raise ValueError("a plan needs at least one account")
        if self.concurrency < 1 or (self.requests is not None and self.requests < 0):
            raise ValueError(
                f"concurrency is {self.concurrency}, requests {self.requests}: allowed are 1 and 0 upwards"
            )
        if not 0 <= self.generator < self.generators:
            raise ValueError(f"generator {self.generator} of {self.generators}: allowed is 0 to {self.generators - 1}")
        text = _checked_form(self.form) if self.text is None else self.text
        object.__setattr__(self, "_template", _template(text, self.amount_cents))

    @property
    def positions(self) -> range:
        """The positions of a batch that this generator sends: also how many clients it plays."""
        return range(self.generator, self.concurrency, self.generators)

    def operation(self, index: int) -> Operation:
        """Give the operation with this index."""
        accounts = self.accounts
        if self.target == "batch":
            return Operation(index, accounts[index // self.concurrency % len(accounts)])
        # Multiply and shift: even to within 1 in 2^64 divided by the number of accounts.
        return Operation(index, accounts[splitmix64(self.seed, index) * len(accounts) >> 64])

    def batches(self) -> Iterator[list[Operation]]:
        """Give this generator's slice of each batch, in order; the last may be short, empty ones are left out."""
        if not self.positions:
            return
        starts = count(0, self.concurrency) if self.requests is None else range(0, self.requests, self.concurrency)
        for start in starts:
            end = start + self.concurrency if self.requests is None else min(start + self.concurrency, self.requests)
            batch = [self.operation(index) for index in range(start + self.generator, end, self.generators)]
            if batch:
                yield batch

    def operations(self) -> Iterator[Operation]:
        """Give this generator's operations, in order."""
        for batch in self.batches():
            yield from batch

    @property
    def has_body(self) -> bool:
        """Whether the bodies hold anything."""
        return bool(self._template)

    def body(self, operation: Operation) -> bytes:
        """Fill in the form, or the text."""
        return self._template % {b"account": operation.account, b"operation": operation.number}

    def lines(self) -> Iterator[str]:
        """Give each operation as a line of JSON: operation, batch, account, body."""
        for operation in self.operations():
            line = {
                "operation": str(operation.number),
                "batch": operation.number // self.concurrency,
                "account": operation.account,
                "body": self.body(operation).decode(),
            }
            yield json.dumps(line, ensure_ascii=False) + "\n"

    def digest(self) -> tuple[int, str]:
        """Count the operations and hash their lines (SHA-256, hexadecimal); only for a plan that ends."""
        if self.requests is None:
            raise ValueError("an endless plan has no hash: give a number of requests")
        total, sha256 = 0, hashlib.sha256()
        lines = self.lines()
        while chunk := list(islice(lines, 4096)):
            total += len(chunk)
            sha256.update("".join(chunk).encode())
        return total, sha256.hexdigest()


def _checked_form(form: str) -> str:
    """Give the form; raises ValueError for an unknown placeholder, and for what a form must percent-encode."""
    allowed = [f"{{{name}}}" for name in PLACEHOLDERS]
    for piece in re.findall(r"\{[^{}]*\}", form):
        if piece not in allowed:
            raise ValueError(
                f"the form holds {piece}: allowed are {', '.join(allowed)}; write other braces as %7B and %7D, "
                "or give a body that is no form with --body"
            )
    if not form.isascii():
        raise ValueError(f"the form {form!r} holds characters outside ASCII: percent-encode them")
    return form


def _template(text: str, amount_cents: int) -> bytes:
    """Turn a text with placeholders into a bytes template for `%`; all other braces stay."""
    text = text.replace("%", "%%").replace("{amount}", str(amount_cents))
    for name in ("account", "operation"):
        text = text.replace(f"{{{name}}}", f"%({name})d")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("the body is no UTF-8 text: give it in UTF-8") from error
