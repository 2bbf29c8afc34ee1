"""Tables hold what they were given: every row, by index and by slice; and amounts of any size add up."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, get_type_hints
from unittest.mock import patch
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.drawn_simulations import often, simulations
from audit.simulated_bank import Simulation
from racelab_bank.audit import rows as kinds
from racelab_bank.audit import tables
from racelab_bank.audit.columns import Keys, Words
from racelab_bank.audit.drift import drift
from racelab_bank.audit.graph.certificate import certify
from racelab_bank.audit.history import History
from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.report import audit, findings
from racelab_bank.audit.tables import Joined, Table

TABLES: tuple[type[Table[Any]], ...] = (
    tables.Accounts,
    tables.Entries,
    tables.Installs,
    tables.Reads,
    tables.Operations,
)
EVERY = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)

#: Of every script, also halves of surrogate pairs; only NUL is in no database.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=12)
NUMBERS = st.integers(-9, 9) | st.integers(-(2**63), 2**63 - 1)
HUGE = NUMBERS | st.integers(-(10**30), 10**30)


def rows_of(table: type[Table[Any]], *, most: int = 12) -> st.SearchStrategy[list[Any]]:
    """Draw rows: each field by its type, amounts of any size, and what may be missing is."""
    hints = get_type_hints(table.row, vars(kinds) | {"UUID": UUID})
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    for one in fields(table.row):
        hint = str(hints[one.name])
        numbers = HUGE if one.name.endswith("_cents") else NUMBERS
        kind: st.SearchStrategy[Any] = (
            st.uuids() | st.sampled_from([UUID(int=0), UUID(int=2**128 - 1)]) if "UUID" in hint
            else st.sampled_from(["ok", "fail", "info"]) if "Literal" in hint
            else st.booleans() if "bool" in hint
            else TEXTS if "str" in hint
            else numbers
        )  # fmt: skip
        drawn[one.name] = st.none() | kind if "None" in hint else kind
    return st.lists(st.builds(table.row, **drawn), max_size=most)


@EVERY
@often
@given(data=st.data())
def test_a_table_gives_back_the_rows_that_it_was_made_of(table: type[Table[Any]], data: st.DataObject) -> None:
    rows = data.draw(rows_of(table))
    made = table.of(rows)
    assert len(made) == len(rows)
    assert list(made) == rows
    with patch.object(tables, "_AT_ONCE", 2):
        assert list(made) == rows
    assert [made[at] for at in range(-len(rows), len(rows))] == [*rows, *rows]
    assert table.of(made) is made
    assert table.of(iter(rows))[:] == rows


@EVERY
@often
@given(data=st.data())
def test_a_slice_of_a_table_is_that_of_its_rows(table: type[Table[Any]], data: st.DataObject) -> None:
    rows = data.draw(rows_of(table))
    made = table.of(rows)
    part = data.draw(st.slices(len(rows)))
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9)) if rows else []
    assert made[part] == rows[part]
    assert made.at(np.array(chosen, np.intp)) == [rows[at] for at in chosen]
    some = Lazy(np.array(chosen, np.intp), made.__getitem__)
    same_as_list(some, [rows[at] for at in chosen], data)
    same_as_list(Joined(some, made), [*(rows[at] for at in chosen), *rows], data)


def same_as_list(sequence: Sequence[Any], wanted: list[Any], data: st.DataObject) -> None:
    assert len(sequence) == len(wanted)
    assert list(sequence) == wanted
    part = data.draw(st.slices(len(wanted)))
    assert sequence[part] == wanted[part]
    assert [sequence[at] for at in range(-len(wanted), len(wanted))] == [*wanted, *wanted]
    for beyond in (len(wanted), -len(wanted) - 1):
        with pytest.raises(IndexError):
            sequence[beyond]


@EVERY
@pytest.mark.parametrize("beyond", [0, 5, -1])
def test_an_empty_table_has_no_rows_and_says_so(table: type[Table[Any]], beyond: int) -> None:
    made = table.of([])
    assert (len(made), list(made), made[:], made[3:-1]) == (0, [], [], [])
    with pytest.raises(IndexError):
        made[beyond]


def test_a_key_with_a_nul_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="NUL character"):
        Keys.of(["fine", "not\0fine"])


@often
@given(st.lists(TEXTS), TEXTS)
def test_texts_are_found_where_they_are(texts: list[str], other: str) -> None:
    for text in [*texts, other]:
        where = [at for at, one in enumerate(texts) if one == text]
        for column in (Keys.of(texts), Words.of(texts)):
            assert np.flatnonzero(column.where(text)).tolist() == where


@often
@given(st.lists(st.none() | st.sampled_from(["", "a", "bank-0"])))
def test_a_text_that_is_missing_is_not_the_empty_one(texts: list[str | None]) -> None:
    words = Words.of(texts)
    assert words.used() == {text for text in texts if text is not None}
    assert np.flatnonzero(words.where("")).tolist() == [at for at, text in enumerate(texts) if text == ""]


def times(history: History, factor: int) -> History:
    """Return the history with every amount so many times as large."""

    def scaled(row: Any) -> Any:
        amounts = {one.name: getattr(row, one.name) for one in fields(row) if one.name.endswith("_cents")}
        return replace(row, **{name: None if cents is None else cents * factor for name, cents in amounts.items()})

    return replace(
        history,
        accounts=[scaled(row) for row in history.accounts],
        entries=[scaled(row) for row in history.entries],
        installs=[scaled(row) for row in history.installs],
        operations=[scaled(row) for row in history.operations],
    )


# Sums beyond 64 bits, of amounts that are not; some amounts beyond, too; all of them.
@pytest.mark.parametrize("factor", [2**50, 2**53, 10**20], ids="times {}".format)
@often
@given(simulation=simulations(accounts=5, plain=False, faults=True, apart=True))
def test_amounts_of_any_size_are_audited_to_the_cent(factor: int, simulation: Simulation) -> None:
    small, large = simulation.history(), times(simulation.history(), factor)
    for account in drift(large).accounts:
        own = [entry.amount_cents for entry in large.entries if entry.account == account.account]
        opening = factor * simulation.openings[account.account]
        assert (account.opening_cents, account.ledger_total_cents) == (opening, opening + sum(own))
    one, other = audit(small, final=True), audit(large, final=True)
    for name in ("opening_cents", "ledger_total_cents", "balance_cents", "drift_cents", "absolute_drift_cents"):
        assert getattr(other, name) == factor * getattr(one, name)
    same = ("outcome", "anomalies", "lost", "culprits", "identity_holds")
    assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
    assert certify(small).serializable == certify(large).serializable
    found = [[(one.kind, one.account, one.operations) for one in findings(each, final=True)] for each in (small, large)]
    assert found[0] == found[1]


def test_a_sum_beyond_64_bits_is_told_to_the_cent() -> None:
    simulation = Simulation([2**62, 2**62, 2**62], owners={2: 7, 3: 7}, derived={1})
    history = simulation.history()
    assert [account.balance_cents for account in history.accounts] == [2**62] * 3
    report = audit(history, final=True)
    assert (report.opening_cents, report.balance_cents, report.drift_cents) == (3 * 2**62, 3 * 2**62, 0)
    below = [replace(account, minimum_cents=2**62 + 1) for account in history.accounts]
    told = [one.sentence for one in findings(replace(history, accounts=below), final=True)]
    assert told == [
        "the entries of account 1 sum up to 46116860184273879.04, below its minimum of 46116860184273879.05",
        "owner 7's accounts 2 and 3 hold 92233720368547758.08 together, below their minimum of 92233720368547758.10",
    ]
