"""The plan: which operations, in which order, on which accounts. Pure: same flags and seed, same plan.

Operation k of the whole plan has the key "k" and stands at position k mod concurrency of batch ⌊k ÷ concurrency⌋. Of N
generators, generator i sends the positions p of every batch with p mod N = i: shares are disjoint, together they are
the plan, and a batch is spread over all generators.

Seeded accounts come from SplitMix64, a generator of ten lines that is the same everywhere and for ever, and that gives
the k-th number without the ones before it: Python's `random` promises neither. A second account is chosen with a second
number, of a stream of its own: a plan's first accounts are the same with and without it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from racelab_loadgen.templates import DEFAULT_FORM, checked_form, in_form, placeholders, template

if TYPE_CHECKING:
    from collections.abc import Iterator

Choice = Literal["random", "batch"]
CHOICES: tuple[Choice, ...] = ("random", "batch")
Other = Literal["none", "random", "pair", "swap"]
OTHERS: tuple[Other, ...] = ("none", "random", "pair", "swap")
_MASK = 2**64 - 1
# Added to the seed, it gives the second numbers: the fraction of pi, so not chosen for what comes of it.
_OTHER_STREAM = 0x243F6A8885A308D3


class Operation(NamedTuple):
    """One operation: its number in the whole plan, which is its key, and the ids of its account and of the other one.

    Where an `owner` is named, a number from 1 upwards, there is no account yet.
    """

    number: int
    account: int | None
    other: int | None = None
    owner: int | None = None


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
    placeholders mean something. `accounts` are the targets' ids; with `other` pair or swap the ids of both accounts of
    each target, one pair after the other; where the body names an owner, the numbers of the owners. `run` is the key
    that `{run}` stands for.
    """

    accounts: tuple[int, ...] = (1,)
    requests: int | None
    concurrency: int = 1
    target: Choice = "random"
    other: Other = "none"
    seed: int = 0
    amount_cents: int = 100
    form: str = DEFAULT_FORM
    text: str | None = None
    run: str | None = None
    generator: int = 0
    generators: int = 1
    names_owners: bool = field(init=False, repr=False, compare=False)
    _is_plain: bool = field(init=False, repr=False, compare=False)
    _targets: int = field(init=False, repr=False, compare=False)
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
        text = checked_form(self.form) if self.text is None else self.text
        names = placeholders(text)
        self._check_placeholders(names)
        self._check_pairs()
        run = self.run or ""
        filled = template(text, amount_cents=self.amount_cents, run=in_form(run) if self.text is None else run)
        in_pairs = self.other in {"pair", "swap"}
        object.__setattr__(self, "names_owners", "owner" in names)
        object.__setattr__(self, "_is_plain", self.other == "none" and "owner" not in names)
        object.__setattr__(self, "_targets", len(self.accounts) // 2 if in_pairs else len(self.accounts))
        object.__setattr__(self, "_template", filled)

    def _check_placeholders(self, names: frozenset[str]) -> None:
        """Raise ValueError where the body's placeholders contradict each other or what was given."""
        body = "form" if self.text is None else "body"
        if "owner" in names and names & {"account", "other"}:
            account = "{account}" if "account" in names else "{other}"
            raise ValueError(
                f"the {body} holds {{owner}} and {account}: allowed is one of them, for an owner has no account yet; "
                f"leave {account} or {{owner}} out"
            )
        if "other" in names and self.other == "none":
            raise ValueError(
                f"the {body} holds {{other}}, and nothing says which account that is: give --other random, pair or "
                "swap, or leave {other} out"
            )
        if "other" not in names and self.other != "none":
            raise ValueError(
                f"--other is {self.other}, but the {body} holds no {{other}}: put it in, or leave --other out"
            )
        if "run" in names and self.run is None:
            raise ValueError(
                f"the {body} holds {{run}}: give the run's key with --run, or write it in place of {{run}}"
            )

    def _check_pairs(self) -> None:
        """Raise ValueError where there is no second account to choose, or it may be the first one."""
        accounts = self.accounts
        match self.other:
            case "random":
                if len(accounts) < 2:
                    raise ValueError("there is 1 account: --other random needs at least 2; give one more")
                if len(set(accounts)) < len(accounts):
                    raise ValueError(
                        f"the accounts {_some(accounts)} hold one twice: --other random needs each once; leave it out"
                    )
            case "pair" | "swap":
                if len(accounts) % 2:
                    raise ValueError(
                        f"the number of accounts is {len(accounts)}: --other {self.other} takes them two by two, so it "
                        "must be even; give one more, or one less"
                    )
                for first, second in zip(accounts[::2], accounts[1::2], strict=True):
                    if first == second:
                        raise ValueError(
                            f"account {first} is paired with itself: --other {self.other} takes the accounts two by "
                            "two; give two different ones for each pair"
                        )

    @property
    def positions(self) -> range:
        """The positions of a batch that this generator sends: also how many clients it plays."""
        return range(self.generator, self.concurrency, self.generators)

    def operation(self, index: int) -> Operation:
        """Give the operation with this index."""
        if self.target == "batch":
            place = index // self.concurrency % self._targets
        else:
            # Multiply and shift: even to within 1 in 2^64 divided by the number of targets.
            place = splitmix64(self.seed, index) * self._targets >> 64
        if self._is_plain:
            return Operation(index, self.accounts[place])
        if self.names_owners:
            return Operation(index, None, owner=self.accounts[place])
        return Operation(index, *self._two_accounts(place, splitmix64(self.seed + _OTHER_STREAM, index)))

    def _two_accounts(self, place: int, number: int) -> tuple[int, int]:
        """Give the account and the other one of the target at this place; `number` is a seeded one of 64 bits."""
        accounts = self.accounts
        if self.other == "random":
            steps = 1 + (number * (len(accounts) - 1) >> 64)
            return accounts[place], accounts[(place + steps) % len(accounts)]
        # The highest bit is the coin.
        first = 2 * place + (number >> 63 if self.other == "swap" else 0)
        return accounts[first], accounts[first ^ 1]

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
        if self._is_plain:
            # Each name costs, and most plans need only these two.
            return self._template % {b"account": operation.account, b"operation": operation.number}
        number, account, other, owner = operation
        return self._template % {b"account": account, b"operation": number, b"other": other, b"owner": owner}

    def lines(self) -> Iterator[str]:
        """Give each operation as a line of JSON: operation, batch, account, other, owner (where there are), body."""
        for operation in self.operations():
            line: dict[str, Any] = {
                "operation": str(operation.number),
                "batch": operation.number // self.concurrency,
                "account": operation.account,
            }
            if operation.other is not None:
                line["other"] = operation.other
            if operation.owner is not None:
                line["owner"] = operation.owner
            line["body"] = self.body(operation).decode()
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


def _some(accounts: tuple[int, ...]) -> str:
    """Name the accounts, of many only the first."""
    return ", ".join(map(str, accounts[:10])) + (", …" if len(accounts) > 10 else "")
