"""Histories of any size, made of arrays: deposits on many accounts, with as many stale writers as are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from racelab_bank.audit.columns import Booleans, Ids, Integers, Keys, Words
from racelab_bank.audit.history import History
from racelab_bank.audit.rows import Histories
from racelab_bank.audit.tables import Accounts, Entries, Installs, Operations, Reads

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACCOUNTS = 1_000
#: A stale writer has missed up to this many writes.
FURTHEST = 5


def _ids(numbers: NDArray[Any]) -> Ids:
    """Ids as random as UUIDs are: two multiplications of a counter."""
    counter = numbers.astype(np.uint64) + np.uint64(1)
    return Ids(counter * np.uint64(0x9E3779B97F4A7C15), counter * np.uint64(0xC2B2AE3D27D4EB4F))


def deposits(entries: int, *, stale: float, seed: int = 7) -> History:
    """Return a run of so many deposits of 1.00, of which a share is computed from a `stale` read."""
    random = np.random.default_rng(seed)
    account = np.sort(random.integers(0, ACCOUNTS, entries))
    starts = np.searchsorted(account, np.arange(ACCOUNTS))
    place = np.arange(entries) - starts[account]
    back = np.where(random.random(entries) < stale, random.integers(1, FURTHEST + 1, entries), 0)
    seen = place - np.minimum(back, place)  # how many versions of its account each had read
    balance = _balances(seen, starts, account)
    before = np.where(seen == 0, 0, balance[starts[account] + seen - 1])
    there = np.where(place == 0, 0, np.roll(balance, 1))
    openings = entries + np.arange(ACCOUNTS)
    head = np.where(seen == 0, openings[account], starts[account] + seen - 1)
    replaced = np.where(place == 0, openings[account], np.arange(entries) - 1)
    last = np.append(starts[1:], entries) - 1
    filled = np.append(starts[1:], entries) > starts
    # Rows come as the database gives them: in the order in which they were written, accounts mixed.
    order = np.argsort(place * ACCOUNTS + account)
    sequence = np.empty(entries, np.int64)
    sequence[order] = np.arange(entries)
    times = 1_700_000_000_000_000 + sequence * 100
    keys = np.char.add("operation-", np.arange(entries).astype("U8")).astype(np.bytes_)[order]
    words = Words(np.zeros(entries, np.int32), ("row_lock",))
    replicas = Words((np.arange(entries) % 3).astype(np.int32), ("bank-0", "bank-1", "bank-2"))
    numbers = Integers(np.ones(entries, np.int64))
    entry_table = Entries(
        id=_ids(order),
        leg=Integers(np.zeros(entries, np.int64)),
        leg_count=numbers,
        account=Integers(account[order] + 1),
        operation=Keys(keys),
        amount_cents=Integers(np.full(entries, 100)),
        balance_before_cents=Integers(before[order]),
        balance_after_cents=Integers(balance[order]),
        previous=_ids(head[order]),
        strategy=words,
        replica=replicas,
        worker=replicas,
        transaction=Integers(np.arange(entries)),
        read_at_microseconds=Integers(times[order]),
        written_at_microseconds=Integers(times[order] + 50),
        seen_entries=Integers(np.zeros(entries, np.int64), np.zeros(entries, np.bool_)),
    )
    installs = Installs(
        sequence=Integers(np.arange(entries)),
        account=Integers(account[order] + 1),
        old_head=_ids(replaced[order]),
        new_head=_ids(order),
        old_balance_cents=Integers(there[order]),
        new_balance_cents=Integers(balance[order]),
        transaction=Integers(np.arange(entries)),
    )
    operations = Operations(
        generator=Integers(np.zeros(entries, np.int64)),
        key=Keys(keys),
        type=Words(np.zeros(entries, np.int32), ("ok",)),
        account=Integers(account[order] + 1),
        amount_cents=Integers(np.full(entries, 100)),
        status=Integers(np.full(entries, 200)),
        outcome=Words(np.zeros(entries, np.int32), ("applied",)),
        entry=_ids(order),
        replica=replicas,
        begin_microseconds=Integers(times[order] - 1_000_000),
        end_microseconds=Integers(times[order] + 1_000),
        error=Words(np.zeros(entries, np.int32), ("",), np.zeros(entries, np.bool_)),
    )
    accounts = Accounts(
        id=Integers(np.arange(ACCOUNTS) + 1),
        opening_cents=Integers(np.zeros(ACCOUNTS, np.int64)),
        balance_cents=Integers(np.where(filled, balance[last], 0)),
        minimum_cents=Integers(np.zeros(ACCOUNTS, np.int64)),
        head=_ids(np.where(filled, last, openings)),
        owner=Integers(np.zeros(ACCOUNTS, np.int64), np.zeros(ACCOUNTS, np.bool_)),
        derived=Booleans(np.zeros(ACCOUNTS, np.bool_)),
    )
    complete = Histories(expected=1, complete=frozenset({0}))
    return History(accounts, entry_table, installs, operations, complete, Reads.of([]))


def _balances(seen: NDArray[Any], starts: NDArray[Any], account: NDArray[Any]) -> NDArray[np.int64]:
    """Return each version's balance: 100 more than that of the version that was read."""
    balance = [0] * len(seen)
    for number, (read, start) in enumerate(zip(seen.tolist(), starts[account].tolist(), strict=True)):
        balance[number] = 100 + (balance[start + read - 1] if read else 0)
    return np.array(balance)
