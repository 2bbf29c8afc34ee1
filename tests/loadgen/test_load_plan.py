"""The plan: claims about operations, shares, accounts and hashes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racelab_loadgen.plan import CHOICES, Plan, splitmix64
from racelab_loadgen.templates import placeholders

flags = st.fixed_dictionaries(
    {
        "accounts": st.lists(st.integers(1, 10**9), min_size=1, max_size=5, unique=True).map(tuple),
        "requests": st.integers(0, 200),
        "concurrency": st.integers(1, 40),
        "target": st.sampled_from(CHOICES),
        "seed": st.integers(0, 2**70),
    }
)


@given(flags, st.integers(1, 7))
def test_the_shares_of_all_generators_are_disjoint_and_together_the_plan(
    fields: dict[str, Any], generators: int
) -> None:
    whole = list(Plan(**fields).operations())
    shares = [list(Plan(**fields, generator=i, generators=generators).operations()) for i in range(generators)]
    assert sorted(operation for share in shares for operation in share) == sorted(whole)
    assert [operation.number for operation in whole] == list(range(fields["requests"]))


@given(flags, st.integers(1, 7))
def test_every_batch_is_spread_over_the_generators_as_evenly_as_it_can_be(
    fields: dict[str, Any], generators: int
) -> None:
    for index in range(generators):
        plan = Plan(**fields, generator=index, generators=generators)
        for batch in plan.batches():
            assert 0 < len(batch) <= len(plan.positions)
            assert len({operation.number // plan.concurrency for operation in batch}) == 1
            assert all(operation.number % plan.concurrency in plan.positions for operation in batch)


@given(flags)
def test_the_same_flags_and_seed_plan_the_same(fields: dict[str, Any]) -> None:
    assert Plan(**fields).digest() == Plan(**fields).digest()


@given(flags)
def test_the_hash_is_the_sha256_of_the_listed_lines(fields: dict[str, Any]) -> None:
    lines = list(Plan(**fields).lines())
    assert Plan(**fields).digest() == (len(lines), hashlib.sha256("".join(lines).encode()).hexdigest())


def test_another_seed_plans_something_else() -> None:
    plans = {Plan(accounts=tuple(range(1, 9)), requests=50, seed=seed).digest() for seed in range(20)}
    assert len(plans) == 20


def test_a_plan_stays_what_it_was_over_versions_of_python() -> None:
    plan = Plan(accounts=(5, 6, 7), requests=10, concurrency=4, seed=7)
    assert [operation.account for operation in plan.operations()] == [6, 5, 7, 6, 6, 5, 6, 5, 5, 6]


def test_splitmix64_gives_its_published_numbers() -> None:
    assert [splitmix64(1234567, index) for index in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@given(st.integers(1, 20), st.integers(1, 5))
def test_target_batch_gives_operation_k_the_account_k_divided_by_concurrency(concurrency: int, accounts: int) -> None:
    plan = Plan(accounts=tuple(range(100, 100 + accounts)), requests=100, concurrency=concurrency, target="batch")
    for operation in plan.operations():
        assert operation.account == 100 + operation.number // concurrency % accounts


def test_target_random_uses_all_accounts_about_equally() -> None:
    plan = Plan(accounts=(1, 2, 3, 4), requests=4000, seed=3)
    counts = Counter(operation.account for operation in plan.operations())
    assert all(850 < counts[account] < 1150 for account in plan.accounts)


def test_an_endless_plan_begins_like_one_that_ends() -> None:
    endless, finite = Plan(requests=None, concurrency=3), Plan(requests=10, concurrency=3)
    assert list(islice(endless.operations(), 10)) == list(finite.operations())


def test_a_generator_beyond_the_concurrency_sends_nothing() -> None:
    assert list(Plan(requests=None, concurrency=2, generator=2, generators=3).operations()) == []


def test_the_form_is_filled_in() -> None:
    plan = Plan(requests=3, form="a={account}&n=50%25&x={amount}&k={operation}-{operation}", amount_cents=250)
    assert plan.body(plan.operation(2)) == b"a=1&n=50%25&x=250&k=2-2"


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ('{"account": {account}, "tags": {}, "n": 5%}', b'{"account": 1, "tags": {}, "n": 5%}'),
        ("{{operation}}{acount}%d%s%%", b"{2}{acount}%d%s%%"),
        ("é{amount}\r\n", "é250\r\n".encode()),
        ("", b""),
    ],
)
def test_a_text_keeps_every_brace_but_the_known_placeholders(text: str, body: bytes) -> None:
    plan = Plan(requests=3, text=text, amount_cents=250)
    assert plan.body(plan.operation(2)) == body
    assert plan.has_body == bool(text)


@given(st.text(max_size=40))
def test_a_text_without_placeholders_is_sent_as_it_is(text: str) -> None:
    if placeholders(text):
        return
    plan = Plan(requests=1, text=text)
    assert plan.body(plan.operation(0)) == text.encode()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"form": "a={acount}"}, "{acount}: allowed are {account}, {amount}, {operation}"),
        ({"form": "a=é"}, "percent-encode"),
        ({"text": "\udcff"}, "no UTF-8"),
        ({"text": "{run}", "run": "\udcff"}, "no UTF-8"),
        ({"accounts": ()}, "at least one account"),
        ({"generator": 2, "generators": 2}, "generator 2 of 2: allowed is 0 to 1"),
        ({"concurrency": 0}, "concurrency is 0"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_what_is_allowed(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        Plan(**({"requests": 1} | fields))


@pytest.mark.parametrize(
    ("fields", "sha256"),
    [
        ({"requests": 300}, "e8541d983545e14cfe57effdfde3d487cba5b0eee31db71ecf6ccfc5968da517"),
        (
            {"accounts": tuple(range(1, 9)), "requests": 5000, "concurrency": 20, "seed": 7},
            "2f89d092ab1068b6248ea76183296965a759b288411426aa7574c47de15120ac",
        ),
        (
            {"accounts": (4, 9, 2), "requests": 1000, "concurrency": 7, "target": "batch", "text": '{"a": {account}}'},
            "66f1bb4b04c3c4869d7e1c7030d5d4371a3d25cfa2f42b8b92587757b5004251",
        ),
    ],
)
def test_a_plan_has_the_hash_that_it_always_had(fields: dict[str, Any], sha256: str) -> None:
    assert Plan(**fields).digest()[1] == sha256


def test_an_endless_plan_has_no_hash() -> None:
    with pytest.raises(ValueError, match="no hash"):
        Plan(requests=None).digest()
