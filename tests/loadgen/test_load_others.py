"""Second accounts, owners and the run: claims about who is named in an operation, and about what is refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.fake_auditor import FakeAuditor
from loadgen.scripted_server import Script
from racelab_loadgen.cli import main
from racelab_loadgen.history import History
from racelab_loadgen.plan import CHOICES, OTHERS, Operation, Plan

if TYPE_CHECKING:
    from loadgen.conftest import Load, Serve

TWO = "from={account}&to={other}&amount={amount}&operation={operation}"

ids = st.integers(1, 10**9)
shape = {
    "requests": st.integers(0, 200),
    "concurrency": st.integers(1, 40),
    "target": st.sampled_from(CHOICES),
    "seed": st.integers(0, 2**70),
}
different_accounts = st.lists(ids, min_size=2, max_size=9, unique=True).map(tuple)
paired_accounts = st.lists(ids, min_size=2, max_size=12, unique=True).map(lambda found: tuple(found[len(found) % 2 :]))


def planned(*, form: str = TWO, **fields: Any) -> Plan:
    return Plan(**({"form": form} | fields))


def pairs(accounts: tuple[int, ...]) -> set[tuple[int | None, int | None]]:
    return set(zip(accounts[::2], accounts[1::2], strict=True))


@given(different_accounts, st.fixed_dictionaries(shape))
def test_a_random_other_is_one_of_the_accounts_and_never_the_same(accounts: tuple[int, ...], fields: Any) -> None:
    for operation in planned(accounts=accounts, other="random", **fields).operations():
        assert operation.other in accounts
        assert operation.other != operation.account


@given(different_accounts, st.fixed_dictionaries(shape))
def test_a_second_account_leaves_the_first_one_what_it_was(accounts: tuple[int, ...], fields: Any) -> None:
    with_other = [operation.account for operation in planned(accounts=accounts, other="random", **fields).operations()]
    assert with_other == [operation.account for operation in Plan(accounts=accounts, **fields).operations()]


@pytest.mark.parametrize("size", [2, 3, 5])
def test_random_others_are_even_whatever_the_first_account_is(size: int) -> None:
    accounts = tuple(range(1, size + 1))
    plan = planned(accounts=accounts, other="random", requests=1000 * size * (size - 1), seed=3)
    counts = Counter((operation.account, operation.other) for operation in plan.operations())
    assert len(counts) == size * (size - 1)
    assert all(850 < count < 1150 for count in counts.values())


@given(paired_accounts, st.fixed_dictionaries(shape))
def test_pairs_stay_pairs_in_their_order(accounts: tuple[int, ...], fields: Any) -> None:
    for operation in planned(accounts=accounts, other="pair", **fields).operations():
        assert (operation.account, operation.other) in pairs(accounts)


@given(paired_accounts, st.fixed_dictionaries(shape))
def test_swapped_pairs_are_the_same_pairs_in_either_order(accounts: tuple[int, ...], fields: Any) -> None:
    straight = planned(accounts=accounts, other="pair", **fields).operations()
    swapped = planned(accounts=accounts, other="swap", **fields).operations()
    for one, two in zip(straight, swapped, strict=True):
        assert (two.account, two.other) in {(one.account, one.other), (one.other, one.account)}


@pytest.mark.parametrize("target", CHOICES)
def test_swap_shows_both_orders_of_every_pair_equally_often(target: str) -> None:
    plan = planned(accounts=(5, 6, 7, 8), other="swap", requests=4000, seed=3, target=target)
    counts = Counter((operation.account, operation.other) for operation in plan.operations())
    assert set(counts) == {(5, 6), (6, 5), (7, 8), (8, 7)}
    assert all(850 < count < 1150 for count in counts.values())


def test_a_batch_of_swapped_operations_is_on_one_pair_in_both_orders() -> None:
    plan = planned(accounts=(5, 6, 7, 8), other="swap", requests=80, concurrency=20, target="batch", seed=1)
    batches = [{(operation.account, operation.other) for operation in batch} for batch in plan.batches()]
    assert batches == [{(5, 6), (6, 5)}, {(7, 8), (8, 7)}] * 2


def test_target_batch_takes_one_pair_after_the_other() -> None:
    plan = planned(accounts=(5, 6, 7, 8, 9, 10), other="pair", requests=8, concurrency=2, target="batch")
    named = [(operation.account, operation.other) for operation in plan.operations()]
    assert named == [(5, 6)] * 2 + [(7, 8)] * 2 + [(9, 10)] * 2 + [(5, 6)] * 2


@given(paired_accounts, st.sampled_from(["random", "pair", "swap"]), st.fixed_dictionaries(shape), st.integers(1, 5))
def test_shares_of_generators_name_the_same_accounts_as_the_whole(
    accounts: tuple[int, ...], other: str, fields: Any, generators: int
) -> None:
    fields = fields | {"accounts": accounts, "other": other}
    whole = list(planned(**fields).operations())
    shares = (planned(**fields, generator=i, generators=generators).operations() for i in range(generators))
    assert sorted(operation for share in shares for operation in share) == whole


def test_second_accounts_stay_what_they_were_over_versions_of_python() -> None:
    named = {
        other: [
            (operation.account, operation.other)
            for operation in planned(accounts=(5, 6, 7, 8), requests=6, seed=7, other=other).operations()
        ]
        for other in ("random", "pair", "swap")
    }
    assert named == {
        "random": [(6, 8), (5, 7), (8, 6), (7, 8), (6, 7), (5, 7)],
        "pair": [(5, 6), (5, 6), (7, 8), (7, 8), (5, 6), (5, 6)],
        "swap": [(5, 6), (5, 6), (7, 8), (7, 8), (5, 6), (6, 5)],
    }


# What is sent


@given(paired_accounts, st.sampled_from(["random", "pair", "swap"]), st.fixed_dictionaries(shape))
def test_the_body_names_the_accounts_of_its_operation(accounts: tuple[int, ...], other: str, fields: Any) -> None:
    plan = planned(accounts=accounts, other=other, **fields)
    for operation in plan.operations():
        assert parse_qs(plan.body(operation).decode()) == {
            "from": [str(operation.account)],
            "to": [str(operation.other)],
            "amount": ["100"],
            "operation": [str(operation.number)],
        }


@given(st.text(max_size=30))
def test_a_run_is_percent_encoded_in_a_form_and_nothing_in_it_is_filled_in(key: str) -> None:
    plan = Plan(requests=1, form="run={run}&operation={operation}", run=key)
    assert parse_qs(plan.body(plan.operation(0)).decode(), keep_blank_values=True) == {
        "run": [key],
        "operation": ["0"],
    }


def test_a_run_stands_in_any_other_body_as_it_is() -> None:
    plan = Plan(requests=1, text='{"run": "{run}", "n": {operation}}', run="a/b 100%s {account}{amount}")
    assert plan.body(plan.operation(0)) == b'{"run": "a/b 100%s {account}{amount}", "n": 0}'


def test_owners_are_the_targets_and_have_no_account() -> None:
    plan = Plan(accounts=(1, 2, 3), requests=6, concurrency=2, target="batch", form="owner={owner}")
    assert [(operation.account, operation.owner) for operation in plan.operations()] == [
        (None, owner) for owner in (1, 1, 2, 2, 3, 3)
    ]
    assert [plan.body(operation) for operation in plan.operations()][::2] == [b"owner=1", b"owner=2", b"owner=3"]


# What is listed


def listed(capsys: pytest.CaptureFixture[str], *flags: str) -> list[dict[str, Any]]:
    assert main(["plan", "--requests", "4", "--operations", *flags]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_lines_name_the_other_account_only_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(list(line) == ["operation", "batch", "account", "body"] for line in listed(capsys))
    for line in listed(capsys, "--accounts", "4", "--other", "swap", "--form", "{account}-{other}"):
        assert list(line) == ["operation", "batch", "account", "other", "body"]
        assert line["body"] == f"{line['account']}-{line['other']}"


def test_lines_of_owners_have_no_account(capsys: pytest.CaptureFixture[str]) -> None:
    for line in listed(capsys, "--accounts", "4", "--form", "{run}-{owner}", "--run", "r"):
        assert list(line) == ["operation", "batch", "account", "owner", "body"]
        assert line["account"] is None
        assert line["body"] == f"r-{line['owner']}"


def test_another_way_to_choose_is_another_plan() -> None:
    digests = {planned(accounts=(1, 2, 3, 4), requests=50, other=other).digest() for other in OTHERS if other != "none"}
    assert len(digests) == 3


# What is refused


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--form", TWO), "the form holds {other}, and nothing says which account that is: give --other random, pair"),
        (("--body", "{other}"), "the body holds {other}, and nothing says"),
        (("--other", "random"), "--other is random, but the form holds no {other}: put it in, or leave --other out"),
        (("--form", TWO, "--other", "random"), "there is 1 account: --other random needs at least 2"),
        (
            ("--form", TWO, "--other", "random", "--account", "4", "--account", "4"),
            "the accounts 4, 4 hold one twice",
        ),
        (("--form", TWO, "--other", "pair", "--account", "4"), "the number of accounts is 1: --other pair takes them"),
        (("--form", TWO, "--other", "swap", "--account", "4"), "the number of accounts is 1: --other swap takes them"),
        (("--form", TWO, "--other", "pair", "--account", "4", "--account", "4"), "account 4 is paired with itself"),
        (("--form", TWO, "--other", "other"), "'other' is not one of 'none', 'random', 'pair', 'swap'"),
        (("--form", "{owner}{account}"), "the form holds {owner} and {account}: allowed is one of them"),
        (
            ("--form", "{owner}{other}", "--other", "pair", "--account", "4", "--account", "5"),
            "the form holds {owner} and {other}: allowed is one of them",
        ),
        (("--form", "{run}"), "the form holds {run}: give the run's key with --run"),
        (("--form", "{runs}"), "allowed are {account}, {amount}, {operation}, {other}, {owner}, {run}"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_what_makes_no_sense_is_wrong_use(
    capsys: pytest.CaptureFixture[str], command: str, flags: tuple[str, ...], told: str
) -> None:
    url = ("--url", "https://localhost:1/") if command == "run" else ()
    assert main([command, *url, "--requests", "1", *flags]) == 2
    assert told in re.sub(r"\s+", " ", capsys.readouterr().err)


# With an auditor


def run_with(load: Load, url: str, auditor: FakeAuditor, *flags: str | int) -> Any:
    return load(url, "--requests", 30, "--concurrency", 4, "--auditor", auditor.url, "--run", "run-1", *flags)


def test_pairs_come_from_the_run_and_the_history_tells_the_first_account(serve: Serve, load: Load) -> None:
    server = serve(Script())
    with FakeAuditor(accounts=[41, 42, 43, 44], targets=2) as auditor:
        outcome = run_with(load, server.url, auditor, "--form", "{account}-{other}-{operation}", "--other", "swap")
    assert outcome.code == 0
    sent = {}
    for body in server.bodies:
        account, other, operation = body.decode().split("-")
        assert (account, other) in {("41", "42"), ("42", "41"), ("43", "44"), ("44", "43")}
        sent[operation] = int(account)
    assert {line["operation"]: line["account"] for line in outcome.history[:-1]} == sent
    assert set(sent.values()) == {41, 42, 43, 44}


def test_owners_are_1_to_the_targets_of_a_run_without_accounts(serve: Serve, load: Load) -> None:
    server = serve(Script())
    with FakeAuditor(accounts=[], targets=3) as auditor:
        outcome = run_with(load, server.url, auditor, "--form", "run={run}&owner={owner}")
        uploaded = [json.loads(line) for line in auditor.histories["0"].splitlines()]
    assert outcome.code == 0
    assert set(server.bodies) == {b"run=run-1&owner=1", b"run=run-1&owner=2", b"run=run-1&owner=3"}
    assert uploaded == outcome.history
    assert [line["account"] for line in uploaded[:-1]] == [None] * 30


def test_an_operation_of_an_owner_that_is_not_answered_has_no_account_either() -> None:
    history = History(amount_cents=100)
    try:
        history.unanswered(Operation(0, None, owner=3), "info", 0, 0, "lost")
        assert json.loads(history._lines[0])["account"] is None
    finally:
        history.close()


@pytest.mark.parametrize(
    ("run", "flags", "told"),
    [
        ({"accounts": [], "targets": 3}, (), "has no accounts, but 3 owners without one: give a --form or --body"),
        ({"accounts": [], "targets": 0}, (), "answered without accounts"),
        ({"accounts": [], "targets": 0}, ("--form", "{owner}"), "answered without targets"),
        ({"accounts": [5], "targets": None}, ("--form", "{owner}"), "answered without targets"),
        (
            {"accounts": [5], "targets": 1},
            ("--form", TWO, "--other", "random"),
            "the accounts of the auditor's run do not fit the flags: there is 1 account: --other random needs",
        ),
        (
            {"accounts": [5, 6, 7], "targets": 3},
            ("--form", TWO, "--other", "pair"),
            "the accounts of the auditor's run do not fit the flags: the number of accounts is 3",
        ),
    ],
)
def test_a_run_that_does_not_fit_is_exit_code_3_and_nothing_is_sent(
    serve: Serve, load: Load, run: dict[str, Any], flags: tuple[str, ...], told: str
) -> None:
    server = serve(Script())
    with FakeAuditor(**run) as auditor:
        outcome = run_with(load, server.url, auditor, *flags)
    assert outcome.code == 3
    assert told in outcome.err
    assert not server.bodies
