"""Each kind of anomaly, put into a clean history by hand: the negative controls of the detectors.

An injection returns the dirty history, which findings of its own kind must be there (as account and entries), and how
often each kind must be found. What is not named must not be found.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from uuid import UUID

from audit.drafts import Draft, Finding, Injected, overwritten
from audit.isolation_injections import dependency_cycle, dirty_read, read_skew, stale_guard, stale_read
from racelab_bank.audit.history import History


def lost_update(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    culprit, lost = overwritten(draft, random)
    findings: set[Finding] = {(draft.account.id, (operation, culprit.operation)) for operation in lost}
    return Injected(draft.history, findings, {"lost_update": len(lost), "stale_install": 1})


def stale_install(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    culprit, lost = overwritten(draft, random)
    listed = tuple([culprit.operation, *lost][:20])
    return Injected(draft.history, {(draft.account.id, listed)}, {"lost_update": len(lost), "stale_install": 1})


def visible_overdraft(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    sort = random.choice(["plain", "derived", "owned"])
    if sort == "plain":
        below = draft.account.balance_cents - draft.account.minimum_cents + random.randint(1, 100)
        entry = draft.write(-below)
        return Injected(draft.history, {(draft.account.id, (entry.operation,))}, {"visible_overdraft": 1})
    if sort == "derived":
        draft.open(derived=True, cents=10)
        draft.entry(-random.randint(11, 100))
        return Injected(draft.history, {(draft.account.id, ())}, {"visible_overdraft": 1})
    first = draft.open(owner=99, cents=50)
    draft.open(owner=99, cents=10)
    draft.write(-random.randint(61, 100))
    return Injected(draft.history, {(first.id, ())}, {"visible_overdraft": 1})


def hidden_overdraft(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    found = draft.account.id
    if random.random() < 0.5:
        found = draft.open(owner=99, cents=0).id
        draft.open(owner=99, cents=random.randint(0, 100))
    draft.write(random.randint(2, 100))
    seen = draft.account
    draft.write(seen.minimum_cents - seen.balance_cents)
    draft.stale_write(-1, seen)
    counts = {"hidden_overdraft": 1, "lost_update": 1, "stale_install": 1}
    return Injected(draft.history, {(found, ())}, counts)


def duplicate(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    first = draft.create(99, random.randint(1, 100))
    later = [draft.create(99, random.randint(1, 100)) for _ in range(random.randint(1, 3))]
    found: set[Finding] = {(one.account, (one.operation, first.operation)) for one in later}
    return Injected(draft.history, found, {"duplicate": len(later)})


def write_skew(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    one, other = (draft.open(owner=99, cents=100) for _ in range(2))
    draft.account = one
    first = draft.write(-random.randint(1, 100))
    draft.account = other
    second = draft.write(-random.randint(1, 100))
    draft.read(first, other)
    draft.read(second, one)
    return Injected(draft.history, {(one.id, (first.operation, second.operation))}, {"write_skew": 1})


def half_posting(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    whole = draft.write(random.randint(1, 100))
    half = replace(whole, leg=random.randint(0, 2), leg_count=3)
    dirty = replace(draft.history, entries=[half if one is whole else one for one in draft.history.entries])
    return Injected(dirty, {(draft.account.id, (half.operation,))}, {"half_posting": 1})


def torn_write(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    if random.random() < 0.5:
        draft.install(UUID(int=1 << 91), draft.account.balance_cents + random.randint(1, 100))
        return Injected(draft.history, {(draft.account.id, ())}, {"torn_write": 1})
    entry = draft.entry(random.randint(1, 100))
    return Injected(draft.history, {(draft.account.id, (entry.operation,))}, {"torn_write": 1})


def double_spend(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    again = random.choice(list(history.entries)).operation
    draft.write(random.randint(1, 100), operation=again)
    accounts = [entry.account for entry in history.entries if entry.operation == again and entry.leg == 0]
    return Injected(draft.history, {(accounts[0], (again,))}, {"double_spend": 1})


def outcome_mismatch(history: History, random: Random) -> Injected:
    applied = {entry.operation for entry in history.entries}
    changed = random.choice([one for one in history.operations if one.key in applied])
    others = [one for one in history.operations if one is not changed]
    if random.random() < 0.5:
        told = replace(changed, type="fail", outcome="refused", status=422, entry=None)
        dirty = replace(history, operations=[*others, told])
    else:
        absent = replace(changed, key="absent", entry=UUID(int=1 << 92))
        changed = absent
        dirty = replace(history, operations=[*history.operations, absent])
    return Injected(dirty, {(changed.account, (changed.key,))}, {"outcome_mismatch": 1})


INJECTIONS: Mapping[str, Callable[[History, Random], Injected]] = {
    one.__name__: one
    for one in (
        dependency_cycle, dirty_read, double_spend, duplicate, half_posting, hidden_overdraft, lost_update,
        outcome_mismatch, read_skew, stale_guard, stale_install, stale_read, torn_write, visible_overdraft, write_skew,
    )
}  # fmt: skip
