"""The edge hands each request to the next replica, and loses none while replicas come and go: the ledger proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.cluster import fresh_namespace
from cluster.edge_lab import EdgeLab, assert_turns, deposits, installed_lab
from cluster.lab import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from racelab_operator.observed import Audit

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

LONGER_THAN_ANY_TEST_SECONDS = 300


@pytest.fixture(scope="module")
def lab() -> Iterator[EdgeLab]:
    with fresh_namespace("racelab-edge") as namespace, installed_lab(namespace) as lab:
        yield lab


def told(audit: Audit) -> str:
    latency = audit.latency_milliseconds
    assert latency is not None
    return f"{audit.operations}, {audit.seconds} s, p50 {latency.p50} ms, p99 {latency.p99} ms"


def assert_applied_at_most_once(lab: EdgeLab, key: str, audit: Audit) -> None:
    assert audit.histories.all_complete
    assert 0 < audit.operations.ok <= audit.entries <= audit.operations.ok + audit.operations.info
    assert audit.shown == {}
    assert (audit.drift_cents, audit.absolute_drift_cents, audit.identity_holds) == (0, 0, True)
    assert lab.entries_and_operations(key) == (audit.entries, audit.entries)


def test_no_request_is_lost_and_none_is_sent_twice_while_the_bank_is_scaled(
    lab: EdgeLab, measured: Callable[[str], None]
) -> None:
    load = deposits(LONGER_THAN_ANY_TEST_SECONDS, concurrency=16, accounts=4, window_milliseconds=10)
    served = lab.scale(1)
    lab.settled("bank", 1)

    with lab.load(load) as key:
        for replicas in (3, 5, 2, 1, 3):
            served |= lab.scale(replicas)
        lab.settled("bank", 3)

    audit = lab.audited(key)
    measured(f"scaled 1→3→5→2→1→3 under load: {told(audit)}, {len(served)} replicas")
    assert lab.dropped(key) == []
    assert_applied_at_most_once(lab, key, audit)
    assert set(audit.replicas_seen) == served


def test_a_killed_replica_may_lose_what_it_served_and_nothing_is_applied_twice(
    lab: EdgeLab, measured: Callable[[str], None]
) -> None:
    load = deposits(LONGER_THAN_ANY_TEST_SECONDS, concurrency=16, accounts=4, window_milliseconds=20)
    before = lab.scale(3)

    with lab.load(load) as key:
        lab.answered_by(before)
        lab.kill(min(before))
        after = lab.scale(3)
        lab.settled("bank", 3)

    audit = lab.audited(key)
    measured(f"one of three replicas killed under load: {told(audit)}")
    assert audit.operations.fail == 0
    # What was under way on the killed replica: one request was served, others stood in line there.
    assert len(lab.dropped(key)) <= load.load.concurrency
    assert_applied_at_most_once(lab, key, audit)
    assert set(audit.replicas_seen) == before | after


def test_no_request_is_lost_when_the_edge_is_replaced(lab: EdgeLab, measured: Callable[[str], None]) -> None:
    load = deposits(LONGER_THAN_ANY_TEST_SECONDS, concurrency=16, accounts=4, window_milliseconds=10)
    lab.scale(2)

    with lab.load(load) as key:
        lab.replace_edge()

    audit = lab.audited(key)
    measured(f"the edge replaced under load: {told(audit)}")
    assert lab.dropped(key) == []
    assert_applied_at_most_once(lab, key, audit)


def test_a_request_that_a_replica_took_and_did_not_answer_is_never_sent_to_another_one(lab: EdgeLab) -> None:
    run = lab.auditor.open_run(deposits(1, concurrency=1, accounts=1, window_milliseconds=0), "edge-trap", {})
    statuses: dict[str, int] = {}
    lab.scale(1)
    with lab.trap() as taken, lab.edge() as client:

        def caught() -> bool:
            for _ in range(10):
                operation = str(len(statuses))
                form = {"account": run.accounts[0], "amount": 100, "operation": operation}
                statuses[operation] = client.post("/bank/deposit/f_expression/", data=form).status_code
            return len(taken()) >= 5

        eventually("the trap to take five requests", caught)
        trapped = taken()
    lab.auditor.close_run(run.key)

    assert trapped == [operation for operation, status in statuses.items() if status == 502]
    applied = list(statuses.values()).count(200)
    assert applied == len(statuses) - len(trapped) > 0
    assert lab.entries_and_operations(run.key) == (applied, applied)


def test_requests_of_one_connection_go_to_each_replica_in_its_turn(
    lab: EdgeLab, measured: Callable[[str], None]
) -> None:
    replicas = lab.scale(3)
    lab.settled("bank", 3)
    with lab.edge() as client:
        figures = assert_turns(client, replicas, 300)

    measured(f"one connection, three replicas: {figures}")
