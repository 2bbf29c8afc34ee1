"""The kinds of lines of a history file, version 1: fields, defaults and limits. docs/histories.md tells each."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

VERSION: Final = 1
#: A longer line is no line of a history.
LONGEST_LINE_BYTES: Final = 64 * 1024
#: The floor of an account that has none.
NO_MINIMUM_CENTS: Final = -(2**62)

Whole: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Microseconds: TypeAlias = Annotated[int, Meta(ge=0, le=2**62)]
Key: TypeAlias = Annotated[str, Meta(max_length=100)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Name: TypeAlias = Annotated[str, Meta(max_length=200)]
Generators: TypeAlias = Annotated[int, Meta(ge=0, le=1_000)]
Generator: TypeAlias = Annotated[int, Meta(ge=0, lt=1_000)]


class _Line(Struct, kw_only=True, forbid_unknown_fields=True, tag_field="kind", gc=False):
    """A line; what has no default must be given."""


class HistoryLine(_Line, tag="history"):
    """The first line: what this is, and how many clients' histories are expected; 0: the ledger alone is judged."""

    version: Whole
    run: Name
    generators: Generators = 0
    scenario: Name | None = None
    strategy: Name | None = None
    isolation: Name | None = None


class AccountLine(_Line, tag="account"):
    """An account; see `rows.Account`. Without a minimum it may fall as low as it wants."""

    id: Whole
    opening_cents: Whole
    balance_cents: Whole
    head: Id
    minimum_cents: Whole | None = None
    owner: Whole | None = None
    derived: bool = False


class EntryLine(_Line, tag="entry"):
    """One leg of what was applied; see `rows.Entry`."""

    id: Id
    account: Whole
    amount_cents: Whole
    leg: Count = 0
    leg_count: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 1
    operation: Key = ""
    balance_before_cents: Whole | None = None
    balance_after_cents: Whole | None = None
    previous: Id | None = None
    strategy: Name = ""
    replica: Name = ""
    worker: Name = ""
    transaction: Whole | None = None
    read_at_microseconds: Microseconds | None = None
    written_at_microseconds: Microseconds | None = None
    seen_entries: Count | None = None


class InstallLine(_Line, tag="install"):
    """One balance that was put on an account; see `rows.Install`. `old_head` is null where it created the account."""

    sequence: Whole
    account: Whole
    old_head: Id | None
    new_head: Id
    old_balance_cents: Whole
    new_balance_cents: Whole
    transaction: Whole | None = None


class ReadLine(_Line, tag="read"):
    """What else the operation of an entry had read; see `rows.Read`."""

    entry: Id
    account: Whole
    seen_head: Id


class OperationLine(_Line, tag="operation"):
    """One operation as a client saw it; see `rows.Operation`."""

    operation: Annotated[str, Meta(min_length=1, max_length=100)]
    type: Literal["ok", "fail", "info"]
    begin_microseconds: Microseconds
    end_microseconds: Microseconds
    generator: Generator = 0
    account: Whole | None = None
    amount_cents: Whole = 0
    status: Annotated[int, Meta(ge=0, le=999)] | None = None
    outcome: Name | None = None
    entry: Id | None = None
    replica: Name | None = None
    error: Annotated[str, Meta(max_length=2_000)] | None = None


class GeneratorLine(_Line, tag="generator"):
    """What became of one client's history."""

    index: Generator
    state: Literal["complete", "lost"]
    reason: Annotated[str, Meta(max_length=2_000)] | None = None


class EndLine(_Line, tag="end"):
    """The last line: how many lines of each kind there were."""

    accounts: Count
    entries: Count
    installs: Count
    reads: Count | UnsetType = UNSET
    operations: Count | UnsetType = UNSET
    generators: Count | UnsetType = UNSET


Line: TypeAlias = (
    HistoryLine | AccountLine | EntryLine | InstallLine | ReadLine | OperationLine | GeneratorLine | EndLine
)

#: How the end line calls the kinds that it counts.
COUNTED: Final = {
    "accounts": AccountLine,
    "entries": EntryLine,
    "installs": InstallLine,
    "reads": ReadLine,
    "operations": OperationLine,
    "generators": GeneratorLine,
}

KINDS: Final = (
    HistoryLine, AccountLine, EntryLine, InstallLine, ReadLine, OperationLine, GeneratorLine, EndLine,
)  # fmt: skip
