"""Each anomaly of what operations read of each other, put into a clean history by hand; see `injections`."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Literal
from uuid import UUID

from audit.drafts import Draft, Injected, Posting, overwritten
from racelab_bank.audit.history import History
from racelab_bank.audit.rows import Account, Entry

#: How the next operation on a ring depends on one: that one had read what it replaced, it had read what that one wrote,
#: or it wrote over it; or not at all.
Link = Literal["rw", "wr", "ww", "none"]


def dirty_read(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    elsewhere = draft.write(random.randint(1, 100))
    looked_at = draft.open(cents=50)
    sort = random.choice(["of another account", "of its own", "too late", "elsewhere"])
    if sort in ("of another account", "elsewhere"):
        draft.open()
    reader = draft.write(random.randint(1, 100))
    head = UUID(int=1 << 93)
    if sort == "too late":
        head = draft.write(random.randint(1, 100)).id
    elif sort == "elsewhere":
        head = elsewhere.id
    draft.read(reader, replace(looked_at, head=head))
    return Injected(draft.history, {(looked_at.id, (reader.operation,))}, {"dirty_read": 1})


def read_skew(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    if random.random() < 0.5:
        return _fuzzy_read(draft, random)
    links: list[Link] = ["rw", random.choice(["wr", "ww"])]
    accounts, postings = ring(draft, links, random)
    reader, writer = (one.operation for one in postings)
    return Injected(draft.history, {(accounts[0], (reader, writer))}, {"read_skew": 1})


def _fuzzy_read(draft: Draft, random: Random) -> Injected:
    """Add an operation that read an account several times, between writes of others."""
    account, reader = draft.account.id, draft.posting()
    draft.read(reader, draft.account)
    between = [random.randint(1, 2) for _ in range(random.randint(1, 3))]
    for writes in between:
        for _ in range(writes):
            draft.write(random.randint(1, 100))
        draft.read(reader, draft.account)
    draft.open()
    draft.write(1, of=reader)
    # Without two versions side by side there is no cycle of two that tells of it.
    longer = 1 not in between
    counts = {"read_skew": 1} | ({"dependency_cycle": 1} if longer else {})
    return Injected(draft.history, {(account, (reader.operation,))}, counts)


def stale_guard(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    if random.random() < 0.5:
        draft.open(owner=99, cents=random.randint(0, 100))
        draft.open(owner=99, cents=random.randint(0, 100))
    checker = draft.posting()
    draft.read(checker, draft.account)
    for _ in range(random.randint(1, 3)):
        draft.write(random.randint(1, 100))
    backing = sum(one.balance_cents - one.minimum_cents for one in draft.history.accounts if one.owner == 99)
    there = backing if draft.account.owner else draft.account.balance_cents - draft.account.minimum_cents
    draft.write(-there - random.randint(1, 100), of=checker)
    counts = {"stale_guard": 1, "visible_overdraft": 1}
    return Injected(draft.history, {(draft.account.id, (checker.operation,))}, counts)


def stale_read(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    seconds = [random.randint(1, 10**6) + 10**7 * number for number in range(1, 7)]
    lost = 0
    if random.random() < 0.7:
        account, seen = draft.account, draft.account
        newer = draft.write(random.randint(1, 100))
        _told_too_late(draft, seconds, random)
        reader = draft.posting()
        draft.read(reader, seen)
        draft.open()
        late = draft.write(1, of=reader)
    else:
        account = draft.account
        late, victims = overwritten(draft, random)
        newer = next(one for one in reversed(draft.history.entries) if one.operation == victims[-1])
        lost = len(victims)
    draft.told(newer, seconds[0], seconds[1], named=random.random() < 0.5)
    draft.told(late, seconds[2], seconds[5], named=random.random() < 0.5)
    counts = {"stale_read": 1} | ({"lost_update": lost, "stale_install": 1} if lost else {})
    return Injected(draft.history, {(account.id, (late.operation, newer.operation))}, counts)


def _told_too_late(draft: Draft, seconds: Sequence[int], random: Random) -> None:
    """Add versions that nobody can be blamed for not seeing: told somebody else, or nobody, or after it was sent."""
    if random.random() < 0.5:
        draft.told(draft.write(1), seconds[0], seconds[3])
    if random.random() < 0.5:
        draft.told(draft.write(1), seconds[0], seconds[1], generator=1)
    if random.random() < 0.5:
        draft.timed_out(draft.write(1), seconds[0], seconds[1])
    if random.random() < 0.5:
        draft.write(1)


def dependency_cycle(history: History, random: Random) -> Injected:
    draft = Draft.of(history, random)
    longer = random.randint(3, 6)
    sort = random.choice(["three", "longer", "mixed", "circular flow", "longer flow", "dirty write"])
    links: list[Link] = ["rw"] * (3 if sort == "three" else longer)
    if sort == "mixed":
        links = [random.choice(["wr", "ww"]) for _ in links]
        links[random.randrange(longer)] = "rw"
    elif sort == "circular flow":
        links = ["wr", random.choice(["wr", "ww"])]
    elif sort == "longer flow":
        links = ["wr"] * longer
    elif sort == "dirty write":
        links = ["ww", "ww"]
    accounts, postings = ring(draft, links, random)
    # It is told from who had read what was replaced. Without such a one, from who was done first: of two, that is the
    # second where the first one wrote over it at the end.
    begin = links.index("rw") if "rw" in links else int(links[-1] == "ww")
    operations = tuple(one.operation for one in (*postings[begin:], *postings[:begin]))
    return Injected(draft.history, {(accounts[begin], operations)}, {"dependency_cycle": 1})


def ring(draft: Draft, links: Sequence[Link], random: Random) -> tuple[list[int], list[Posting]]:
    """Add as many operations, each of which must come before the next, and the last before the first.

    The number of each link's account is returned, and the operations.
    """
    accounts = [draft.account.id, *(draft.open(cents=random.randint(0, 100)).id for _ in links[1:])]
    around = [links[-1], *links]
    legs = [(before in ("rw", "ww")) + (after in ("wr", "ww")) for before, after in pairwise(around)]
    postings = [draft.posting(max(1, count)) for count in legs]
    nexts = [*postings[1:], postings[0]]
    for account, link, one, other in zip(accounts, links, postings, nexts, strict=True):
        seen = draft.on(account)
        if link == "none":
            continue
        if link == "rw":
            draft.read(one, seen)
            _write(draft, seen, other, random)
            continue
        first = _write(draft, seen, one, random)
        if link == "wr":
            draft.read(other, draft.account)
        elif first.previous is None:
            # What the database adds twice it may add in any order.
            draft.stale_write(random.randint(1, 100), draft.account, of=other)
        else:
            _write(draft, draft.account, other, random)
    for count, posting in zip(legs, postings, strict=True):
        if not count:
            draft.open()
            draft.write(1, of=posting)
    return accounts, postings


def _write(draft: Draft, now: Account, posting: Posting, random: Random) -> Entry:
    """Add a correct write, computed by the database or from what is there."""
    if random.random() < 0.5:
        return draft.write(random.randint(1, 100), of=posting)
    return draft.stale_write(random.randint(1, 100), now, of=posting)
