"""One run as it is audited: its rows, and the indexes that detectors share, each built once, when first asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.graph.cycles import Cycles
from racelab_bank.audit.graph.dependencies import Dependencies
from racelab_bank.audit.graph.order import Order, order_of_installs
from racelab_bank.audit.groups import Groups
from racelab_bank.audit.keys import KeyIndex
from racelab_bank.audit.postings import Postings
from racelab_bank.audit.sums import Sums
from racelab_bank.audit.tables import Accounts, Entries, Installs, Operations, Reads
from racelab_bank.audit.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Integers, Numbers
    from racelab_bank.audit.registry import Anomaly
    from racelab_bank.audit.rows import Account, Entry, Histories, Install, Operation, Read

#: Sums of up to this many cents are exact in 64 bits.
_EXACT_CENTS = 2**62


@dataclass(frozen=True, slots=True)
class Tables:
    """A history's rows in columns."""

    accounts: Accounts
    entries: Entries
    installs: Installs
    operations: Operations
    reads: Reads


@dataclass(frozen=True)
class History:
    """One run, read in one snapshot: rows in any order, as values or as tables.

    `names` are what ids are called where they are not UUIDs to whoever recorded them.
    """

    accounts: Sequence[Account]
    entries: Sequence[Entry]
    installs: Sequence[Install]
    operations: Sequence[Operation]
    histories: Histories
    reads: Sequence[Read] = ()
    names: Mapping[UUID, str] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def tables(self) -> Tables:
        """The rows in columns."""
        return Tables(
            Accounts.of(self.accounts),
            Entries.of(self.entries),
            Installs.of(self.installs),
            Operations.of(self.operations),
            Reads.of(self.reads),
        )

    @cached_property
    def versions(self) -> Versions:
        """Every balance that was installed, account by account in its true order.

        Raises `ValueError` for a row of an account that is not here, and for two legs of one entry on one account.
        """
        return Versions(self)

    @cached_property
    def sums(self) -> Sums:
        """What the accounts say and what their entries make of them."""
        return Sums(self)

    @cached_property
    def groups(self) -> Groups:
        """The accounts, together with those that back them."""
        return Groups(self)

    @cached_property
    def postings(self) -> Postings:
        """The entries by what they are legs of."""
        return Postings(self.tables)

    @cached_property
    def keys(self) -> KeyIndex:
        """Entries and operations by operation keys."""
        return KeyIndex(self.tables, self.postings)

    @cached_property
    def dependencies(self) -> Dependencies:
        """Which posting had to come before which."""
        return Dependencies(self)

    @cached_property
    def cycles(self) -> Cycles:
        """What depends on itself, of all dependencies."""
        return Cycles(self.dependencies.edges, len(self.postings), self.order_of_installs.rank)

    @cached_property
    def findings(self) -> dict[str, Sequence[Anomaly]]:
        """What detectors have found so far, by kind; see `Detector.found`."""
        return {}

    @cached_property
    def order_of_installs(self) -> Order:
        """The postings by their last installs."""
        return order_of_installs(self)

    def name(self, id_: UUID | None) -> str:
        """Return what an id is called by whoever recorded it."""
        return str(id_) if id_ is None else self.names.get(id_, str(id_))

    def locate(self, accounts: Integers, what: Callable[[int], str]) -> NDArray[np.intp]:
        """Return where the accounts of rows stand in the table of accounts.

        Raises `ValueError` for one that does not; `what` names its row.
        """
        ids, order = self._sorted_accounts
        at = np.searchsorted(ids, accounts.values)
        found = ids[np.minimum(at, len(ids) - 1)] if len(ids) else np.zeros(len(at), np.int64)
        strange = (at == len(ids)) | (found != accounts.values)
        if strange.any():
            row = int(np.flatnonzero(strange)[0])
            raise ValueError(
                f"{what(row)} is on account {accounts.values[row]}, which is not among the accounts given; "
                "give all accounts of the run"
            )
        return order[at]

    @cached_property
    def _sorted_accounts(self) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        ids = self.tables.accounts.id.values
        order = np.argsort(ids, kind="stable")
        return ids[order], order

    def cents(self, column: Integers) -> Numbers:
        """Return amounts that can be added up without an overflow: Python's own numbers where 64 bits do not do."""
        return column.values.astype(object) if self._huge else column.values

    @cached_property
    def _huge(self) -> bool:
        tables = self.tables
        columns = chain.from_iterable(
            (value for name, value in vars(table).items() if name.endswith("_cents") and name != "minimum_cents")
            for table in (tables.accounts, tables.entries, tables.installs)
        )
        rows = len(tables.accounts) + len(tables.entries) + len(tables.installs)
        return max((_largest(column) for column in columns), default=0) * (rows + 1) >= _EXACT_CENTS

    @cached_property
    def minimums_cents(self) -> Numbers:
        """The accounts' minimums, to be added up: whoever has none has a very low one."""
        column = self.tables.accounts.minimum_cents
        huge = self._huge or _largest(column) * (len(column) + 1) >= _EXACT_CENTS
        return column.values.astype(object) if huge else column.values


def _largest(column: Integers) -> int:
    if not len(column):
        return 0
    return max(abs(int(column.values.max())), abs(int(column.values.min())))
