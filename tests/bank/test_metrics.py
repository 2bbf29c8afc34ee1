"""What Prometheus scrapes from the auditor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connections, transaction
from prometheus_client.parser import text_string_to_metric_families

from bank.test_auditing import save
from monitoring.prometheus_server import needs_promtool
from monitoring.promtool import metrics_are_clean
from racelab_bank.auditor import auditing, collecting, following, loads, rows, runs
from racelab_bank.auditor.sampling import KEPT, Sample, added
from racelab_bank.auditor.watching import watch
from racelab_bank.models import Account, Generator, Operation, Run

if TYPE_CHECKING:
    from django.test import Client

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.urls("racelab_bank.auditor.urls"),
]

OpenRun = Callable[..., Run]
Samples = dict[tuple[str, str], float]

AUDITED = {
    "racelab_balance_cents": "balance_cents",
    "racelab_ledger_total_cents": "ledger_total_cents",
    "racelab_balance_drift_cents": "drift_cents",
    "racelab_absolute_drift_cents": "absolute_drift_cents",
    "racelab_entries_total": "entries",
    "racelab_lost_updates": "lost",
    "racelab_stale_installs_total": "culprits",
}


def scraped(client: Client) -> list[Any]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return [sample for family in text_string_to_metric_families(answer.content.decode()) for sample in family.samples]


def of(run: Run, client: Client) -> Samples:
    """A run's samples by their name and what is told beside the run's own labels."""
    own = dict(zip(collecting.LABELS, collecting.labels(run), strict=True))
    return {
        (one.name, " ".join(value for label, value in one.labels.items() if label not in own)): one.value
        for one in scraped(client)
        if own.items() <= one.labels.items()
    }


def lose_one(run: Run) -> None:
    """Two deposits of 5 from one read."""
    first, second = (Account.objects.get(run=run) for _ in range(2))
    save(first, 5)
    save(second, 5)


def test_samples_are_what_the_audit_says_live_and_final(client: Client, open_run: OpenRun) -> None:
    run = open_run()
    lose_one(run)
    live = auditing.audit_run(run, live=True)
    found = of(run, client)
    assert {name: found[name, ""] for name in AUDITED} == {name: live[field] for name, field in AUDITED.items()}
    assert found["racelab_balance_drift_cents", ""] == -5
    assert found["racelab_anomalies_total", "lost_update"] == 1
    assert found["racelab_run_opened_timestamp_seconds", ""] == pytest.approx(run.opened_at.timestamp())


def test_a_closed_run_keeps_its_final_figures_and_what_only_the_final_audit_finds(
    client: Client, open_run: OpenRun
) -> None:
    run = open_run()
    lose_one(run)
    Account.objects.filter(run=run).update(balance_cents=50, head=uuid4())  # an install without an entry
    runs.close_run(run)
    Run.objects.filter(pk=run.pk).update(closed_at=datetime.now(UTC) - timedelta(minutes=1))
    Generator.objects.filter(run=run).update(history=Generator.History.COMPLETE)
    final = auditing.audit_run(Run.objects.get(pk=run.pk))
    assert final["final"]
    found = of(run, client)
    assert {name: found[name, ""] for name in AUDITED} == {name: final[field] for name, field in AUDITED.items()}
    assert found["racelab_anomalies_total", "torn_write"] == 1
    assert ("racelab_run_closed_timestamp_seconds", "") in found


def test_a_run_that_has_ended_leaves_after_a_while_and_one_that_never_ends_stays(open_run: OpenRun) -> None:
    standing, ended, open_ = open_run(), open_run(), open_run()
    now = datetime.now(UTC)
    Run.objects.filter(pk=standing.pk).update(generators=0)
    Run.objects.filter(pk=ended.pk).update(closed_at=now)

    def shown(later: timedelta) -> list[int]:
        return [run.pk for run in collecting.shown_runs(now + later) if run.pk in {standing.pk, ended.pk, open_.pk}]

    assert shown(timedelta(minutes=14)) == [open_.pk, ended.pk, standing.pk]
    assert shown(timedelta(minutes=16)) == [open_.pk, standing.pk]
    assert shown(timedelta(hours=25)) == [standing.pk]


def test_of_runs_with_the_same_labels_the_newest_is_shown(client: Client, open_run: OpenRun) -> None:
    labels = {"experiment": "twice", "step": "one", "replicas": "3"}
    older, newer = open_run(opening_cents=100), open_run(opening_cents=700)
    Run.objects.filter(pk__in=[older.pk, newer.pk]).update(labels=labels)
    found = [one for one in scraped(client) if one.labels.get("experiment") == "twice"]
    assert [one.value for one in found if one.name == "racelab_balance_cents"] == [700]


def test_the_number_of_runs_is_bounded(open_run: OpenRun) -> None:
    for _ in range(collecting.RUNS + 3):
        open_run()
    assert len([run for run in collecting.shown_runs(datetime.now(UTC)) if run.generators]) == collecting.RUNS


def test_a_count_of_anomalies_does_not_fall_when_a_lost_branch_comes_back(client: Client, open_run: OpenRun) -> None:
    run = open_run()
    account = Account.objects.get(run=run)
    stale = Account.objects.get(run=run)
    save(account, 5)
    after_first = Account.objects.get(run=run)
    save(stale, 7)  # loses the first
    assert of(run, client)["racelab_lost_updates", ""] == 1
    save(after_first, 1)  # puts the first back, and loses the second
    found = of(run, client)
    assert (found["racelab_lost_updates", ""], found["racelab_stale_installs_total", ""]) == (1, 2)
    assert found["racelab_anomalies_total", "lost_update"] == 1


def test_what_a_transaction_that_is_still_open_keeps_back_is_lag(open_run: OpenRun) -> None:
    run = open_run()
    assert following.live(run).lag_seconds == 0
    other = connections["serializable"]
    with transaction.atomic(using="serializable"):
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")
        lose_one(run)
        behind = following.live(run)
        assert (behind.report.entries, behind.lag_seconds > 0) == (0, True)
    caught_up = following.live(run)
    assert (caught_up.report.entries, caught_up.lag_seconds) == (2, 0)


def test_half_a_write_is_lag_until_it_is_given_up(open_run: OpenRun) -> None:
    run = open_run()
    Account.objects.filter(run=run).update(balance_cents=50, head=uuid4())
    assert following.live(run).lag_seconds > 0
    for _ in range(50):
        following.live(run)
    assert following.live(run).lag_seconds == 0


def operation(run: Run, kind: str, microseconds: int, status: int | None = 200, generator: int = 0) -> Operation:
    return Operation(
        run=run,
        generator=generator,
        key=str(uuid4()),
        type=kind,
        amount_cents=1,
        status=status,
        begin_microseconds=1_000,
        end_microseconds=1_000 + microseconds,
    )


def test_what_generators_recorded_is_told_once_their_histories_are_there(client: Client, open_run: OpenRun) -> None:
    run = open_run(generators=2)
    assert loads.load_figures(run) is None
    times = [900, 1_000, 1_001, 40_000, 90_000_000]
    Operation.objects.bulk_create([operation(run, "ok", time) for time in times])
    Operation.objects.bulk_create([operation(run, "info", 5, None), operation(run, "fail", 7, 409, generator=1)])
    Generator.objects.filter(run=run).update(history="complete", start_skew_microseconds=250)
    found = of(run, client)
    assert found["racelab_load_operations_total", "0 ok"] == 5
    assert found["racelab_load_operations_total", "0 info"] == 1
    assert found["racelab_load_operations_total", "1 fail"] == 1
    assert found["racelab_load_duration_seconds_bucket", "0.001"] == 3  # its bound is inclusive
    assert found["racelab_load_duration_seconds_bucket", "0.05"] == 5
    assert found["racelab_load_duration_seconds_bucket", "+Inf"] == 6
    assert found["racelab_load_duration_seconds_sum", ""] == pytest.approx((sum(times) + 7) / 1e6)
    assert found["racelab_load_start_skew_seconds", "1"] == pytest.approx(0.00025)


def test_without_a_database_there_are_no_samples_and_a_reason(
    client: Client, open_run: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(run: Run) -> None:
        raise OperationalError("connection refused")

    open_run()
    monkeypatch.setattr(following, "live", gone)
    answer = client.get("/metrics")
    assert (answer.status_code, answer.content) == (503, b"the database does not answer: connection refused\n")


@needs_promtool
def test_promtool_has_nothing_to_say_about_the_auditors_samples(client: Client, open_run: OpenRun) -> None:
    run = open_run()
    Operation.objects.bulk_create([operation(run, "ok", 900)])
    Generator.objects.filter(run=run).update(history="complete", start_skew_microseconds=250)
    lose_one(run)
    exposition = client.get("/metrics").content
    metrics_are_clean(exposition.decode())


def test_a_run_that_is_watched_is_told_with_its_past(open_run: OpenRun) -> None:
    run = open_run()
    lose_one(run)
    seen = watch(run)
    assert (seen.audit["final"], seen.audit["lost"], seen.served) == (False, 1, {"bank-0": 2})
    assert [(one.amount_cents, one.replica) for one in seen.stale_installs] == [(5, "bank-0")]
    assert [(one.drift_cents, one.entries, one.stale_installs) for one in seen.samples] == [(-5, 2, 1)]
    runs.close_run(run)
    run = Run.objects.get(pk=run.pk)
    Generator.objects.filter(run=run).update(history="complete")
    Run.objects.filter(pk=run.pk).update(closed_at=datetime.now(UTC) - timedelta(minutes=1))
    ended = watch(Run.objects.get(pk=run.pk))
    assert (ended.audit["final"], len(ended.samples)) == (True, 1 + 1)


def test_a_closed_run_that_nobody_followed_is_not_read_again(
    open_run: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run()
    lose_one(run)
    runs.close_run(run)
    monkeypatch.setattr(rows, "entries", None)
    ended = watch(Run.objects.get(pk=run.pk))
    assert (ended.audit["lost"], ended.samples, ended.served) == (1, (), {"bank-0": 2})


def test_samples_stay_bounded_and_keep_the_first_and_the_last() -> None:
    samples: tuple[Sample, ...] = ()
    for second in range(5_000):
        samples = added(samples, Sample(second * 1_000_000, 0, 0, 0, 0, second, 0, 0))
        assert len(samples) <= KEPT
    assert (samples[0].entries, samples[-1].entries) == (0, 4_999)
    times = [one.at_microseconds for one in samples]
    assert times == sorted(set(times))


def test_samples_that_follow_each_other_closely_replace_each_other() -> None:
    samples: tuple[Sample, ...] = ()
    for millisecond in range(1_001):
        samples = added(samples, Sample(millisecond * 1_000, 0, 0, 0, 0, millisecond, 0, 0))
    assert 3 <= len(samples) <= 5
    assert samples[-1].entries == 1_000
