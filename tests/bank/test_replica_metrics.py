"""The samples of one replica of the bank: several worker processes, one exposition."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.caddy import free_port
from monitoring.prometheus_server import needs_promtool
from monitoring.promtool import metrics_are_clean
from racelab_bank.models import Account
from racelab_bank.serving import bank
from racelab_bank.serving.occupancy import SLOTS, SharedOccupancy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from racelab_bank.models import Run

WORKERS = 4

pytestmark = [pytest.mark.django_db(transaction=True, databases="__all__")]


@dataclass(frozen=True)
class Replica:
    """A served replica."""

    url: str
    metrics_url: str
    process: subprocess.Popen[bytes]

    def samples(self) -> dict[tuple[str, ...], float]:
        exposition = httpx.get(f"{self.metrics_url}/metrics").text
        return {
            (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
            for family in text_string_to_metric_families(exposition)
            for one in family.samples
        }

    def deposit(self, account: int, strategy: str = "atomic_only", **fields: str) -> int:
        form = {
            "account": str(account),
            "amount": "5",
            "operation": str(uuid4()),
            "isolation": "read-committed",
        } | fields
        return httpx.post(f"{self.url}/bank/deposit/{strategy}/", data=form, timeout=30).status_code


@contextmanager
def served(temporary: Path) -> Iterator[Replica]:
    port, metrics_port = free_port(), free_port()
    command = [sys.executable, "-m", "racelab_bank", "serve", "--workers", str(WORKERS)]
    command += ["--bind", f"127.0.0.1:{port}", "--metrics-bind", f"127.0.0.1:{metrics_port}"]
    database = Account.objects.db
    own = {"TMPDIR": str(temporary), "DATABASE_URL": _url(database)}
    with subprocess.Popen(command, env=os.environ | own, start_new_session=True) as process:
        replica = Replica(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}", process)
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=100)) as client:
                while client.get(f"{replica.metrics_url}/readyz").status_code != 200:
                    assert process.poll() is None
            yield replica
        finally:
            process.terminate()


def _url(alias: str) -> str:
    from django.db import connections

    name = connections[alias].settings_dict["NAME"]
    return os.environ["DATABASE_URL"].replace("/racelab?", f"/{name}?")


@pytest.fixture
def temporary() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="rl-"))
    yield directory
    shutil.rmtree(directory)


def test_windows_are_counted_over_all_workers_and_their_peak_stays(
    temporary: Path, open_run: Callable[..., Run]
) -> None:
    account = Account.objects.get(run=open_run()).pk
    with served(temporary) as replica:
        assert replica.samples()["racelab_bank_worker_processes",] == WORKERS
        with ThreadPoolExecutor(WORKERS) as clients:
            answers = [clients.submit(replica.deposit, account, window_milliseconds="1500") for _ in range(WORKERS)]
            seen = 0.0
            while not all(answer.done() for answer in answers):
                now = replica.samples().get(("racelab_window_requests", "deposit", "atomic_only"), 0)
                seen = max(seen, now)
            assert [answer.result() for answer in answers] == [200] * WORKERS
        samples = replica.samples()
        assert seen == samples["racelab_window_requests_peak", "deposit", "atomic_only"] == WORKERS
        assert samples["racelab_window_requests", "deposit", "atomic_only"] == 0
        assert samples["racelab_bank_requests_total", "applied", "deposit", "atomic_only"] == WORKERS
        took = samples["racelab_bank_request_duration_seconds_sum", "applied", "deposit", "atomic_only"]
        assert took >= 1.5 * WORKERS


@needs_promtool
def test_promtool_has_nothing_to_say_about_them(temporary: Path, open_run: Callable[..., Run]) -> None:
    account = Account.objects.get(run=open_run()).pk
    with served(temporary) as replica:
        assert [replica.deposit(account, strategy) for strategy in ("atomic_only", "row_lock")] == [200, 200]
        exposition = httpx.get(f"{replica.metrics_url}/metrics").content
    metrics_are_clean(exposition.decode())


def test_the_workers_files_go_with_the_replica_and_those_of_a_killed_one_with_the_next(temporary: Path) -> None:
    with served(temporary) as replica:
        [directory] = temporary.iterdir()
        assert any(directory.iterdir())
        os.killpg(replica.process.pid, signal.SIGKILL)
        replica.process.wait()
    assert directory.exists()
    with served(temporary):
        assert not directory.exists()
    assert list(temporary.iterdir()) == []


def test_what_has_another_name_or_a_living_owner_is_not_removed(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    names = [f"racelab-bank-{os.getpid()}-a", "racelab-bank-x-a", "racelab-bank-", "other-1-a", "racelab-bank-1-a"]
    for name in names:
        (temporary / name).mkdir()
    bank.remove_abandoned()
    assert sorted(one.name for one in temporary.iterdir()) == sorted(names)


def test_a_slot_is_one_worker_and_is_free_after_its_death() -> None:
    occupancy = SharedOccupancy()
    occupancy.take_slot(1)
    assert occupancy.enter("deposit", "atomic_only") == 1
    occupancy.take_slot(SLOTS + 2)
    assert occupancy.enter("deposit", "row_lock") == 1
    assert occupancy.enter("deposit", "atomic_only") == 2
    occupancy.clear_slot(1)
    assert occupancy.enter("deposit", "atomic_only") == 1
    occupancy.leave("deposit", "atomic_only")
    occupancy.take_slot(3)
    assert occupancy.enter("deposit", "atomic_only") == 1
