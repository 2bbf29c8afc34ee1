"""The bank as a strategy uses it, with everything it does noted: what was read, what was written, what was waited for.

Nothing is different for the strategy: each method does what the bank's own does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from racelab_bank.ledger import Bank, Sums
from racelab_bank.page.money import money, signed
from racelab_bank.posting import Applied, Posting, Seen


@dataclass(slots=True)
class Note:
    """One thing that a lane has done: in `words`, and how it stands.

    `doing`: it was begun and has not ended; `waits`: another lane's lock is in its way, `waited`: was in its way, and
    how it went on is another note; `stopped`: it failed.
    """

    lane: int
    words: str
    state: Literal["doing", "waits", "waited", "done", "stopped"] = "done"


class Notebook(Protocol):
    """Where the notes of one lane go."""

    def begin(self, words: str) -> Note:
        """Note that something begins."""

    def end(self, note: Note, words: str, state: Literal["done", "stopped"] = "done") -> None:
        """Note how it has ended."""


class ObservedBank(Bank):
    """A bank that notes what is asked of it."""

    notebook: Notebook

    @classmethod
    def of(cls, alias: str, operation: str, strategy: str, window: Callable[[], None], notebook: Notebook) -> "Bank":
        """Return a bank that notes in `notebook`."""
        bank = cls(alias, operation, strategy, window)
        bank.notebook = notebook
        return bank

    @contextmanager
    def _noted(self, words: str) -> Iterator[Callable[[str], None]]:
        """Note what begins and how it ended; the value takes the words for a good end."""
        note = self.notebook.begin(words)
        ended = [words]
        try:
            yield lambda told: ended.__setitem__(0, told)
        except BaseException:
            self.notebook.end(note, words, "stopped")
            raise
        self.notebook.end(note, ended[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Note BEGIN, and COMMIT or ROLLBACK."""
        self.notebook.begin("BEGIN").state = "done"
        commit: Note | None = None
        try:
            with super().transaction():
                yield
                commit = self.notebook.begin("COMMIT")
        except BaseException:
            if commit is None:
                commit = self.notebook.begin("ROLLBACK")
                self.notebook.end(commit, "ROLLBACK")
            else:
                self.notebook.end(commit, "COMMIT", "stopped")
            raise
        self.notebook.end(commit, "COMMIT")

    def attempts(self, limit: int) -> Iterator[int]:
        """Note that it is tried again."""
        for attempt in super().attempts(limit):
            if attempt:
                self.notebook.end(self.notebook.begin("tries again"), "tries again")
            yield attempt

    def read(self, posting: Posting) -> Seen:
        """Note what was read."""
        with self._noted("reads") as told:
            seen = super().read(posting)
            told(f"reads {_balances(seen)}")
        return seen

    def read_locked(self, posting: Posting, *, no_key: bool = False, nowait: bool = False) -> Seen:
        """Note what was read under the lock."""
        with self._noted("locks the row") as told:
            seen = super().read_locked(posting, no_key=no_key, nowait=nowait)
            told(f"locks the row, reads {_balances(seen)}")
        return seen

    def lock_until_commit(self, posting: Posting) -> None:
        """Note the advisory lock."""
        with self._noted("takes the advisory lock"):
            super().lock_until_commit(posting)

    @contextmanager
    def session_lock(self, posting: Posting) -> Iterator[Callable[[], None]]:
        """Note when the session's lock is taken and freed."""
        taking = self.notebook.begin("takes the session's lock")
        with super().session_lock(posting) as release:
            self.notebook.end(taking, "takes the session's lock")

            def free() -> None:
                with self._noted("frees the session's lock"):
                    release()

            yield free

    def write_absolute(self, posting: Posting, seen: Seen) -> Applied:
        """Note the balance that is written."""
        with self._noted(f"writes {_after(posting, seen)}"):
            return super().write_absolute(posting, seen)

    def write_versioned(self, posting: Posting, seen: Seen) -> Applied | None:
        """Note whether the version was still the one that was read."""
        (version,) = {account.version for account in seen.values()}
        words = f"writes {_after(posting, seen)} where version = {version}"
        with self._noted(words) as told:
            applied = super().write_versioned(posting, seen)
            told(f"{words}: {'0 rows' if applied is None else '1 row'}")
        return applied

    def write_computed(self, posting: Posting, *, seen: Seen | None = None) -> Applied:
        """Note what the database is to add."""
        with self._noted(_adds(posting)):
            return super().write_computed(posting, seen=seen)

    def write_conditional(self, posting: Posting) -> Applied:
        """Note what the database is to add, where its condition holds."""
        with self._noted(_adds(posting)):
            return super().write_conditional(posting)

    def read_sums(self, posting: Posting) -> Sums:
        """Note what the entries sum up to."""
        with self._noted("sums up the entries") as told:
            sums = super().read_sums(posting)
            told(f"sums up {_balances(sums.seen)}")
        return sums

    def append(self, posting: Posting, sums: Sums) -> Applied:
        """Note what is inserted."""
        with self._noted(f"inserts {_amounts(posting)}"):
            return super().append(posting, sums)


def _balances(seen: Seen) -> str:
    return " and ".join(money(account.balance_cents) for account in seen.values())


def _after(posting: Posting, seen: Seen) -> str:
    return " and ".join(money(seen[leg.account].balance_cents + leg.amount_cents) for leg in posting.legs)


def _amounts(posting: Posting) -> str:
    return " and ".join(signed(leg.amount_cents) for leg in posting.legs)


def _adds(posting: Posting) -> str:
    return f"adds {_amounts(posting)} to what is there"
