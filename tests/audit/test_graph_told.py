"""Cases from the books and from the lab, each told in one sentence that is true: what detectors say, what is proved."""

from dataclasses import replace
from random import Random
from uuid import UUID

import numpy as np

from audit.drafts import Draft, Posting
from audit.simulated_bank import Leg, Simulation, Way, Write, put_back
from racelab_bank.audit.graph.certificate import certify
from racelab_bank.audit.graph.replay import replay
from racelab_bank.audit.history import History
from racelab_bank.audit.report import Outcome, audit, findings
from racelab_bank.audit.rows import Read


def add(account: int, cents: int, way: Way = "naive") -> Write:
    return Write((Leg(account, cents),), way)


def transfer(source: int, target: int, cents: int) -> Write:
    return Write((Leg(source, -cents), Leg(target, cents)), "computed", apart=True)


def draft(*balances: int) -> Draft:
    """Begin with accounts 1, 2 and so on, with these balances."""
    return Draft.of(Simulation(balances).history(), Random(0))


def begun(history: Draft, count: int) -> list[Posting]:
    """Begin operations T1, T2 and so on, each on a replica of its own."""
    return [history.posting(1, f"T{number}", f"bank-{number}") for number in range(1, count + 1)]


def told(history: History, kind: str) -> list[str]:
    return [one.sentence for one in findings(history, final=True) if one.kind == kind]


def kinds(history: History) -> list[str]:
    return [one.kind for one in findings(history, final=True)]


def witness(history: History, name: str) -> str:
    """Return the sentence of the only witness, which has this name."""
    certificate = certify(history)
    (only,) = certificate.witnesses
    assert (certificate.serializable, only["name"]) == (False, name)
    assert certificate.reason == "no serial order: 1 group of them depends on each other in circles"
    return str(only["sentence"])


def test_three_operations_that_each_read_what_the_next_one_replaces_have_no_order() -> None:
    books = draft(100_00, 50_00, 30_00)
    readers = begun(books, 3)
    for reader, account in zip(readers, (1, 2, 3), strict=True):
        books.read(reader, books.on(account))
    for writer, account, cents in zip(readers, (2, 3, 1), (-10_00, 5_00, 7_00), strict=True):
        books.on(account)
        books.write(cents, of=writer)
    assert kinds(books.history) == ["dependency_cycle"]
    assert told(books.history, "dependency_cycle") == [witness(books.history, "longer_cycle")]
    assert witness(books.history, "longer_cycle") == (
        "operation T1 on bank-1 read 100.00 on account 1 before operation T3 on bank-3 installed 107.00 over it at "
        "22:13:20.006000; operation T3 on bank-3 read 30.00 on account 3 before operation T2 on bank-2 installed 35.00 "
        "over it at 22:13:20.005000; operation T2 on bank-2 read 50.00 on account 2 before operation T1 on bank-1 "
        "installed 40.00 over it at 22:13:20.004000: each must have come before the next, and the last before the first"
    )


def test_a_lost_update_is_told_with_what_was_read_and_what_was_put_over_it() -> None:
    history = Simulation([1_000]).play([add(1, 100), add(1, 50)], [0, 1, 0, 0, 0, 0], workers=2).history()
    assert witness(history, "lost_update") == (
        "operation 1 on bank-1 read 10.00 on account 1 from the opening at 00:00:01.002000, operation 0 on bank-0 "
        "installed 11.00 over it 1.000 ms later, and operation 1 then installed 10.50 over that 2.000 ms later: "
        "operation 0's +1.00 is lost"
    )


def test_what_came_back_with_a_later_stale_write_is_not_called_lost() -> None:
    # 0 and 1 read the opening; 0 writes; 2 reads what 0 wrote; 1 writes over 0; 2 writes over 1 and brings 0 back.
    writes = [add(1, 1), add(1, 10), add(1, 100)]
    history = Simulation([0]).play(writes, [0, 1, 0, 0, 1, 0, 0, 0, 0, 0], workers=2).history()
    assert audit(history, final=True).lost == 1
    assert witness(history, "lost_update") == (
        "operation 1 on bank-1 read 0.00 on account 1 from the opening at 00:00:01.002000, operation 0 on bank-0 "
        "installed 0.01 over it 1.000 ms later, and operation 1 then installed 0.10 over that 3.000 ms later: "
        "operation 0's +0.01 was overwritten, and came back with a later stale write"
    )


def test_equal_and_opposite_losses_do_not_hide_each_other() -> None:
    writes = [add(1, 100), add(1, 50), add(2, -100), add(2, -50)]
    history = Simulation([1_000, 1_000]).play(writes, [0, 1, 2, 3], workers=4).history()
    report = audit(history, final=True)
    assert (report.drift_cents, report.absolute_drift_cents, report.lost) == (0, 200, 2)
    assert report.reason == "2 lost updates"
    assert told(history, "lost_update") == [
        "operation 0 (+1.00) was lost: operation 1 on bank-1 had read the balance before it",
        "operation 2 (−1.00) was lost: operation 3 on bank-0 had read the balance before it",
    ]
    certificate = certify(history)
    assert (certificate.serializable, certificate.cycles) == (False, {"lost_update": 2})
    assert [str(one["sentence"]).rpartition(": ")[2] for one in certificate.witnesses] == [
        "operation 0's +1.00 is lost",
        "operation 2's −1.00 is lost",
    ]


def test_losses_that_cancel_on_one_account_leave_its_balance_right_and_are_told() -> None:
    writes = [add(1, 100), add(1, 50), add(1, -100), add(1, 25)]
    history = Simulation([1_000]).play(writes, [0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0], workers=2).history()
    report = audit(history, final=True)
    assert (report.drift_cents, report.absolute_drift_cents) == (0, 0)
    assert [sentence.partition(" was")[0] for sentence in told(history, "lost_update")] == [
        "operation 0 (+1.00)",
        "operation 2 (−1.00)",
    ]
    assert (report.outcome, certify(history).serializable) == (Outcome.ANOMALOUS, False)


def test_a_retry_that_is_applied_again_is_a_double_spend_though_everything_is_serializable() -> None:
    first = Simulation([1_000]).play([add(1, -100, "locked")], [], workers=1).history()
    timed_out = replace(first.operations[0], type="info", status=None, outcome=None, entry=None, error="timeout")
    books = Draft.of(replace(first, operations=[timed_out]), Random(0))
    again = books.write(-100, operation="0")
    books.told(again, books.clock - 1_000, books.clock)
    assert told(books.history, "double_spend") == ["operation 0 (−1.00) was applied 2 times, on bank-0, bank-9"]
    report, certificate = audit(books.history, final=True), certify(books.history)
    assert (report.outcome, report.reason, report.drift_cents) == (Outcome.ANOMALOUS, "1 double spend", 0)
    assert certificate.serializable is True
    assert certificate.reason == "2 operations performed again one after the other give every recorded balance"


def test_write_skew_is_told_with_what_each_had_seen_of_the_others_account() -> None:
    simulation = Simulation([0, 5_000, 5_000], owners={2: 7, 3: 7})
    writes = [add(2, -8_000, "checked"), add(3, -8_000, "checked")]
    history = simulation.play(writes, [0, 1, 0, 0, 0, 0], workers=2).history()
    assert kinds(history) == ["visible_overdraft", "write_skew"]
    assert witness(history, "write_skew") == (
        "operation 0 on bank-0 read 50.00 on account 3 before operation 1 on bank-1 installed −30.00 over it at "
        "00:00:01.005000; operation 1 on bank-1 read 50.00 on account 2 before operation 0 on bank-0 installed −30.00 "
        "over it at 00:00:01.003000: each must have come before the other"
    )


def half_seen() -> History:
    """T1 looks at account 1 before T2 takes 40.00 from it, and at account 2 after T2 has put them there."""
    books = draft(100_00, 50_00, 0)
    reader, writer = books.posting(1, "T1", "bank-1"), books.posting(2, "T2", "bank-2")
    books.read(reader, books.on(1))
    books.write(-40_00, of=writer)
    books.on(2)
    books.write(40_00, of=writer)
    books.read(reader, books.on(2))
    books.on(3)
    books.write(1_00, of=reader)
    return books.history


def test_read_skew_is_told_with_the_half_that_was_seen_and_the_one_that_was_not() -> None:
    assert kinds(half_seen()) == ["read_skew"]
    assert told(half_seen(), "read_skew") == [witness(half_seen(), "read_skew")]
    assert witness(half_seen(), "read_skew") == (
        "operation T1 on bank-1 read 100.00 on account 1 before operation T2 on bank-2 installed 60.00 over it at "
        "22:13:20.003000; operation T1 on bank-1 read 90.00 on account 2, which operation T2 on bank-2 had installed "
        "at 22:13:20.004000: what was read together was never there together"
    )


def read_twice(*, written: bool) -> History:
    """T1 looks at account 1, T2 adds to it, T1 looks again and writes: there, or elsewhere."""
    books = draft(100_00, 0)
    (reader,) = begun(books, 1)
    books.read(reader, books.on(1))
    books.write(1_00, operation="T2")
    books.read(reader, books.on(1))
    books.on(1 if written else 2)
    books.write(5_00, of=reader)
    return books.history


def test_one_account_read_in_two_versions_is_one_read_skew_though_it_is_a_cycle_of_two_as_well() -> None:
    assert told(read_twice(written=False), "read_skew") == [
        "operation T1 on bank-1 has read account 1 in 2 different versions"
    ]
    assert certify(read_twice(written=False)).cycles == {"read_skew": 1}


def test_who_read_twice_what_it_wrote_itself_checked_a_floor_too_early_and_no_more() -> None:
    assert kinds(read_twice(written=True)) == []
    assert certify(read_twice(written=True)).cycles == {"stale_guard": 1}


def test_a_stale_guard_that_broke_no_floor_refutes_the_order_and_harms_nobody() -> None:
    writes = [add(1, -80, "checked"), add(1, -80, "checked")]
    history = Simulation([1_000]).play(writes, [0, 1, 0, 0, 0, 0], workers=2).history()
    assert kinds(history) == []
    assert audit(history, final=True).outcome is Outcome.CONSISTENT
    assert witness(history, "stale_guard") == (
        "operation 1 on bank-1 read 10.00 on account 1 before operation 0 on bank-0 installed 9.20 over it at "
        "00:00:01.003000; operation 0 on bank-0 wrote account 1 before operation 1 on bank-1 installed 8.40 on it at "
        "00:00:01.005000: what was checked was no longer true; harmless as long as no floor is broken"
    )


def test_a_stale_guard_that_broke_a_floor_explains_the_overdraft() -> None:
    writes = [add(1, -80, "checked"), add(1, -80, "checked")]
    history = Simulation([100]).play(writes, [0, 1, 0, 0, 0, 0], workers=2).history()
    assert audit(history, final=True).reason == "1 visible overdraft"
    assert told(history, "stale_guard") == [
        "operation 1 (−0.80) on bank-1 checked 1.00 on account 1; 1 write later it took that to −0.60"
    ]


def test_sums_that_overlooked_each_other_are_told_with_what_they_missed() -> None:
    history = Simulation([0, 100], derived={2}).play([add(2, -80), add(2, -80)], [0, 1], workers=2).history()
    assert witness(history, "stale_guard") == (
        "operation 0 on bank-0 summed up account 2 without operation 1's −0.80; operation 1 on bank-1 summed up "
        "account 2 without operation 0's −0.80: what was checked was no longer true; harmless as long as no floor is "
        "broken"
    )


def test_transfers_whose_additions_interleave_in_opposite_order_are_refuted_and_right() -> None:
    simulation = Simulation([1_000, 1_000])
    history = simulation.play([transfer(1, 2, 100), transfer(2, 1, 50)], [0, 1, 0, 0, 0, 0], workers=2).history()
    assert kinds(history) == []
    assert audit(history, final=True).outcome is Outcome.CONSISTENT
    assert witness(history, "interleaved_additions") == (
        "operation 0 on bank-0 wrote account 1 before operation 1 on bank-1 installed 9.50 on it at 00:00:01.005000; "
        "operation 1 on bank-1 wrote account 2 before operation 0 on bank-0 installed 10.50 on it at 00:00:01.003000: "
        "in no order do the balances in between come out; what the database adds up stays"
    )


def test_who_each_read_what_the_other_wrote_must_each_have_come_first() -> None:
    books = draft(100_00, 50_00)
    one, other = begun(books, 2)
    books.on(1)
    books.write(1_00, of=one)
    books.read(other, books.on(1))
    books.on(2)
    books.write(2_00, of=other)
    books.read(one, books.on(2))
    assert told(books.history, "dependency_cycle") == [witness(books.history, "circular_information_flow")]
    assert witness(books.history, "circular_information_flow") == (
        "operation T2 on bank-2 read 101.00 on account 1, which operation T1 on bank-1 had installed at "
        "22:13:20.003000; operation T1 on bank-1 read 52.00 on account 2, which operation T2 on bank-2 had installed "
        "at 22:13:20.004000: each must have come before the other"
    )


def test_a_circle_that_harms_is_told_and_not_the_harmless_one_beside_it() -> None:
    books = draft(100_00, 100_00, 0, 0)
    one, other = books.posting(3, "T1"), books.posting(2, "T2")
    between = books.posting(1, "T3")
    for account, first, second in ((1, one, other), (2, other, one)):
        books.on(account)
        books.write(1_00, of=first)
        books.write(1_00, of=second)
    assert kinds(replace(books.history, entries=[replace(one, leg_count=2) for one in books.history.entries])) == []
    books.on(3)
    books.write(1_00, of=one)
    books.read(between, books.on(3))
    books.on(4)
    books.write(1_00, of=between)
    books.read(other, books.on(4))
    (found,) = findings(books.history, final=True)
    assert (found.kind, found.operations) == ("dependency_cycle", ("T1", "T3", "T2"))
    assert certify(books.history).cycles == {"interleaved_additions": 1}


def test_two_accounts_of_one_owner_are_told_as_creations_that_saw_none() -> None:
    simulation = Simulation([0, 0, 0], owners={2: 7, 3: 7}, created={2, 3})
    history = simulation.play([add(3, 100, "locked"), add(2, 100, "locked")], [], workers=1).history()
    assert witness(history, "duplicate") == (
        "operation 0 on bank-0 had seen no account of the owner when operation 1 created account 2; operation 1 on "
        "bank-0 had seen no account of the owner when operation 0 created account 3: each must have come before the "
        "other"
    )


def test_a_balance_that_was_put_back_proves_nothing_and_is_told_as_torn() -> None:
    certificate = certify(put_back())
    assert (certificate.serializable, certificate.order, certificate.witnesses) == (None, None, ())
    assert certificate.reason == "1 balance changed without an entry that tells why"
    assert kinds(put_back()) == ["lost_update", "torn_write"]


def test_a_read_of_what_was_acknowledged_long_ago_is_stale_though_an_order_exists() -> None:
    books = draft(100_00, 0)
    seen = books.on(1)
    newer = books.write(5_00, operation="T1")
    books.told(newer, books.clock - 1_000, books.clock + 500)
    books.clock += 10_000
    sent = books.clock
    reader = books.posting(1, "T2", "bank-2")
    books.read(reader, seen)
    books.on(2)
    books.told(books.write(1_00, of=reader), sent, books.clock + 500)
    (sentence,) = told(books.history, "stale_read")
    assert sentence == (
        "operation T2 on bank-2 was sent 9.500 ms after operation T1 had been acknowledged, and read account 1 without "
        "it"
    )
    assert certify(books.history).serializable is True


def test_what_is_not_said_of_an_account_without_a_balance_is_not_proved() -> None:
    simulation = Simulation([0, 100], derived={2}).play([add(2, 80, "locked"), add(1, 5, "locked")], [], workers=1)
    history = simulation.history()
    assert certify(history).serializable is True
    silent = replace(history, entries=[replace(entry, seen_entries=None) for entry in history.entries])
    assert certify(silent).reason == "1 entry does not say how many entries had been summed up"
    blind = replace(history, reads=[Read(UUID(int=2), 2, history.accounts[1].head)])
    assert certify(blind).serializable is None
    assert certify(blind).reason == "1 read of an account that keeps no balance, and so has no version to be named"


def test_equal_and_opposite_amounts_do_not_hide_a_wrong_order_from_who_performs_it_again() -> None:
    history = Simulation([0]).play([add(1, cents, "computed") for cents in (5, -5, 5)], [], workers=1).history()
    assert replay(history, np.array([0, 1, 2])) is None
    assert replay(history, np.array([2, 1, 0])) == (
        "operation 2 replaced another version of account 1 than the one in turn"
    )
