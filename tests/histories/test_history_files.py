"""A history file is taken whole or not at all: what is wrong is told with its line, and nothing wrong passes."""

from __future__ import annotations

import io
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.drawn_simulations import often, simulations
from audit.injections import INJECTIONS
from audit.simulated_bank import Leg, Simulation, Write
from racelab_bank.audit.jsonl import stacks
from racelab_bank.audit.jsonl.problems import WrongHistory
from racelab_bank.audit.jsonl.reading import HistoryFile, read
from racelab_bank.audit.jsonl.writing import write
from racelab_bank.audit.report import Outcome, audit
from racelab_bank.audit.rows import Histories

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from racelab_bank.audit.history import History

Lines = list[dict[str, Any]]


def exported(history: History) -> list[bytes]:
    return list(write(history, "run", scenario="deposit", strategy="atomic_only", isolation="read-committed"))


def load(lines: Sequence[bytes]) -> HistoryFile:
    return read(io.BytesIO(b"".join(lines)))


def racy() -> History:
    """Two deposits from one read, and two more; with a generator's history."""
    writes = [Write((Leg(1, amount),), "naive") for amount in (100, 50, 25, 10)]
    return Simulation([1_000, 500]).play(writes, [0, 1, 0, 0, 0], workers=2).history()


def parsed(history: History) -> Lines:
    return [json.loads(line) for line in exported(history)]


def text(lines: Lines) -> list[bytes]:
    return [json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines]


def at(lines: Lines, kind: str) -> int:
    return next(number for number, line in enumerate(lines) if line["kind"] == kind)


@often
@given(simulations(accounts=5, plain=False, faults=True))
def test_what_is_written_is_what_is_read(simulation: Simulation) -> None:
    history = simulation.history()
    found = load(exported(history)).history
    for name in ("accounts", "entries", "installs", "operations", "reads"):
        assert list(getattr(found, name)) == list(getattr(history, name)), name
    assert found.histories == history.histories
    assert audit(found, final=True) == audit(history, final=True)


@often
@given(simulations(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_the_order_of_lines_and_how_many_are_packed_at_once_do_not_matter(
    simulation: Simulation, shuffled: random.Random, at_once: int
) -> None:
    lines = exported(simulation.history())
    middle = lines[1:-1]
    shuffled.shuffle(middle)
    before, stacks._AT_ONCE = stacks._AT_ONCE, at_once  # type: ignore[misc]
    try:
        found = load([lines[0], *middle, lines[-1]]).history
    finally:
        stacks._AT_ONCE = before  # type: ignore[misc]
    told, expected = audit(found, final=True), audit(simulation.history(), final=True)
    assert (told.outcome, told.anomalies, told.drift_cents) == (
        expected.outcome,
        expected.anomalies,
        expected.drift_cents,
    )


def test_ids_may_be_any_texts_and_are_told_as_they_are() -> None:
    lines = parsed(racy())
    names: dict[str, str] = {}
    for line in lines:
        for field in ("id", "head", "previous", "old_head", "new_head", "entry", "seen_head"):
            if isinstance(line.get(field), str):
                line[field] = names.setdefault(line[field], f"version {len(names)} ✓")
    found = load(text(lines)).history
    assert audit(found, final=True).anomalies == audit(racy(), final=True).anomalies
    assert parsed(found) == lines
    gone = at(lines, "install")
    broken = [line for number, line in enumerate(lines) if number != gone]
    broken[-1]["installs"] -= 1
    told = audit(load(text(broken)).history, final=True)
    assert told.outcome is Outcome.UNKNOWN
    assert names[str(racy().entries[0].id)] in told.reason


def test_upper_case_uuids_are_the_same_ids() -> None:
    lines = parsed(racy())
    lines[at(lines, "entry")]["id"] = lines[at(lines, "entry")]["id"].upper()
    assert audit(load(text(lines)).history, final=True) == audit(racy(), final=True)


def test_a_file_cut_off_anywhere_is_no_history() -> None:
    whole = b"".join(exported(racy()))
    for end in range(len(whole) - 1):
        with pytest.raises(WrongHistory, match=r"line \d+: "):
            read(io.BytesIO(whole[:end]))
    read(io.BytesIO(whole[:-1]))  # the last line's end alone says nothing


def test_a_file_that_lost_any_line_is_no_history() -> None:
    lines = exported(racy())
    for gone in range(len(lines)):
        with pytest.raises(WrongHistory):
            load(lines[:gone] + lines[gone + 1 :])


def test_a_file_with_any_line_twice_is_no_history_and_the_second_is_told() -> None:
    lines = exported(racy())
    for number, line in enumerate(lines[1:-1], start=1):
        with pytest.raises(WrongHistory, match=rf"line {number + 2}: .* stands in line {number + 1} already") as told:
            load([*lines[: number + 1], line, *lines[number + 1 :]])
        assert told.value.line == number + 2
        # Also when whoever repeated it has counted again.
        counted = parsed(racy())
        again = [*counted[: number + 1], counted[number], *counted[number + 1 :]]
        for name in counted[-1]:
            if name != "kind":
                again[-1] = again[-1] | {name: sum(one["kind"] == SINGULAR[name] for one in again)}
        with pytest.raises(WrongHistory, match="already"):
            load(text(again))


SINGULAR = {
    "accounts": "account",
    "entries": "entry",
    "installs": "install",
    "reads": "read",
    "operations": "operation",
    "generators": "generator",
}


@pytest.mark.parametrize("kind", ["entry", "install"])
def test_a_lost_write_that_was_counted_out_again_never_passes_as_consistent(kind: str) -> None:
    history = Simulation([1_000]).play([Write((Leg(1, 100),), "locked")] * 4, [], workers=1).history()
    assert audit(history, final=True).outcome is Outcome.CONSISTENT
    lines = parsed(history)
    for number in [number for number, line in enumerate(lines) if line["kind"] == kind]:
        less = [dict(line) for other, line in enumerate(lines) if other != number]
        less[-1]["entries" if kind == "entry" else "installs"] -= 1
        assert audit(load(text(less)).history, final=True).outcome is not Outcome.CONSISTENT


@pytest.mark.parametrize("kind", sorted(INJECTIONS))
def test_a_file_that_is_tampered_with_is_never_consistent_where_it_was_not(kind: str) -> None:
    clean = Simulation([1_000, 500]).play([Write((Leg(1, 100),), "locked"), Write((Leg(2, -50),), "locked")], [], 1)
    lines = exported(INJECTIONS[kind](clean.history(), random.Random(1)).history)
    chosen = random.Random(kind)
    for _ in range(300):
        changed = bytearray(b"".join(lines))
        where = chosen.randrange(len(changed))
        changed[where : where + chosen.choice((0, 1, 30))] = chosen.choice((b"", b"\xff", b"\n", b"\0", b"{}\n"))
        if bytes(changed) == b"".join(lines):
            continue
        try:
            found = read(io.BytesIO(bytes(changed)))
        except WrongHistory:
            continue
        assert audit(found.history, final=True).outcome is not Outcome.CONSISTENT, bytes(changed)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "line 1: the file is empty"),
        (b"\n", "line 1: empty; every line is one JSON object"),
        (b"[1]\n", "line 1: every line is one JSON object"),
        (b"nonsense\n", "line 1: no JSON: "),
        (b"\xef\xbb\xbf{}\n", "line 1: begins with a byte order mark"),
        (b"\x1f\x8b\x08\x00abc\n", "line 1: the file is compressed"),
        (b'{"kind":"history","version":1,"run":"a\xe9"}\n', "line 1: byte 39 is not UTF-8"),
        (b'{"kind":"history","version":2,"run":"a"}\n', "line 1: version: given 2, allowed 1"),
        (b'{"kind":"history","run":"a"}\n', "line 1: version: missing; a line of kind history must have it"),
        (b'{"kind":"end","accounts":0,"entries":0,"installs":0}\n', 'line 1: kind: given "end", allowed "history"'),
        (b'{"kind":"account"', 'line 1: the line breaks off'),
        (b'{"kind":"history","version":1,"run":"' + b"a" * 70_000 + b'"}\n', "line 1: longer than 65536 bytes"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_history_is_told_with_its_line(raw: bytes, told: str) -> None:
    with pytest.raises(WrongHistory) as error:
        read(io.BytesIO(raw))
    assert str(error.value).startswith(told)


def changed(of: str, /, **fields: Any) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        lines[at(lines, of)].update(fields)

    return change


def without(kind: str, field: str) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        del lines[at(lines, kind)][field]

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (changed("entry", amount_cent=1), "amount_cent: no field of kind entry: did you mean amount_cents?"),
        (changed("entry", amount_cents="1"), 'amount_cents: given "1", expected `int`, got `str`'),
        (changed("entry", amount_cents=1.5), "amount_cents: given 1.5, expected `int`, got `float`"),
        (changed("entry", amount_cents=2**63), "amount_cents: given 9223372036854775808, expected `int` <= "),
        (changed("entry", id=""), 'id: given "", expected `str` of length >= 1'),
        (changed("entry", account=99), "account: given 99, which has no line of its own in this file"),
        (changed("entry", leg=1), "leg: given 1, allowed 0 to 0, as leg_count is 1"),
        (changed("entry", operation="a\0b"), "operation: has a NUL character in it"),
        (changed("install", account=99), "account: given 99, which has no line of its own in this file"),
        (changed("account", head=None), "head: given null, expected `str`, got `null`"),
        (changed("operation", type="yes"), 'type: given "yes", invalid enum value'),
        (changed("operation", generator=3), "generator: given 3, allowed below 1, which line 1 says"),
        (changed("generator", index=1), "index: given 1, allowed below 1, which line 1 says"),
        (changed("entry", kind="entri"), 'kind: given "entri", allowed history, account, entry, install, read'),
        (without("install", "old_head"), "old_head: missing; a line of kind install must have it"),
    ],
)
def test_a_line_that_does_not_fit_is_told_with_what_was_given_and_what_is_allowed(
    change: Callable[[Lines], None], told: str
) -> None:
    lines = parsed(racy())
    before = text(lines)
    change(lines)
    number = next(number for number, pair in enumerate(zip(before, text(lines), strict=True), 1) if pair[0] != pair[1])
    with pytest.raises(WrongHistory) as error:
        load(text(lines))
    assert str(error.value).startswith(f"line {number}: {told}")


def test_there_is_nothing_after_the_end_and_one_history_in_a_file() -> None:
    lines = exported(racy())
    with pytest.raises(WrongHistory, match=f"line {len(lines) + 1}: there is more after the end line"):
        load([*lines, b"\n"])
    with pytest.raises(WrongHistory, match="line 2: a second history begins here"):
        load([lines[0], *lines])


def test_a_client_whose_history_is_lost_or_missing_leaves_a_clean_ledger_unknown() -> None:
    history = Simulation([1_000]).play([Write((Leg(1, 100),), "locked")], [], workers=1).history()
    lines = parsed(history)
    generator = at(lines, "generator")
    lines[generator] |= {"state": "lost", "reason": "its machine died"}
    told = audit(load(text(lines)).history, final=True)
    assert (told.outcome, told.reason) == (
        Outcome.UNKNOWN,
        "the history of generator 0 is lost: its machine died",
    )
    del lines[generator]
    lines[-1]["generators"] = 0
    told = audit(load(text(lines)).history, final=True)
    assert (told.outcome, told.reason) == (Outcome.UNKNOWN, "the history of generator 0 has not arrived")


def test_fields_with_a_default_may_be_left_out() -> None:
    lines: Lines = [
        {"kind": "history", "version": 1, "run": "short"},
        {"kind": "account", "id": 1, "opening_cents": 0, "balance_cents": -5, "head": "a"},
        {"kind": "entry", "id": "a", "account": 1, "amount_cents": -5},
        {"kind": "install", "sequence": 1, "account": 1, "old_head": "0", "new_head": "a", "old_balance_cents": 0,
         "new_balance_cents": -5},
        {"kind": "end", "accounts": 1, "entries": 1, "installs": 1},
    ]  # fmt: skip
    found = load(text(lines))
    told = audit(found.history, final=True)
    assert (found.first.run, told.outcome, told.visible_overdrafts) == ("short", Outcome.CONSISTENT, 0)
    assert found.history.histories == Histories(expected=0)
