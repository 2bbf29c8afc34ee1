"""A replica as it is served: what becomes of a request that takes too long, and the admin's files."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from lab.programs import wait_until
from racelab_bank.models import Entry
from racelab_operator.platforms.local.ports import free_port
from racelab_operator.platforms.local.postgresql import PostgreSQL
from racelab_operator.platforms.local.replicas import is_ready
from seeds.playing import Playground

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@contextmanager
def replica(timeout_seconds: int) -> Iterator[tuple[int, int]]:
    """Serve a replica on the test database; its port, and that of its metrics."""
    settings = connection.settings_dict
    url = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={settings['HOST']}&port={settings['PORT']}"
    port, metrics_port = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "racelab_bank", "serve", "--bind", f"127.0.0.1:{port}",
         "--metrics-bind", f"127.0.0.1:{metrics_port}", "--timeout-seconds", str(timeout_seconds)],
        env={**os.environ, "DATABASE_URL": url},
    )  # fmt: skip
    try:
        wait_until(lambda: is_ready(metrics_port))
        yield port, metrics_port
    finally:
        process.terminate()
        process.wait(20)


def ask(port: int, method: str, path: str, body: str | None = None) -> http.client.HTTPResponse:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    asked.request(method, path, body, FORM)
    return asked.getresponse()


def counted(metrics_port: int) -> dict[tuple[str, str, str], float]:
    text = ask(metrics_port, "GET", "/metrics").read().decode()
    return {
        (sample.labels["scenario"], sample.labels["strategy"], sample.labels["outcome"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "racelab_bank_requests_total"
    }


def test_a_request_that_takes_too_long_writes_nothing_and_nobody_knows_what_became_of_it(
    postgresql: PostgreSQL, playground: Playground
) -> None:
    with replica(timeout_seconds=1) as (port, metrics_port):
        form = f"account={playground.account.pk}&amount=1&operation=1&window_milliseconds=10000"
        answer = ask(port, "POST", "/bank/deposit/atomic_only/", form)
        assert answer.status == 500
        assert counted(metrics_port) == {("deposit", "atomic_only", "info"): 1}
    assert not Entry.objects.exists()
    assert playground.balance(playground.account) == 0


def test_the_admins_files_are_served_and_no_others(postgresql: PostgreSQL, playground: Playground) -> None:
    with replica(timeout_seconds=30) as (port, _):
        style = ask(port, "GET", "/static/admin/css/base.css")
        assert (style.status, style.getheader("Content-Type")) == (200, 'text/css; charset="utf-8"')
        for path in ("/static/admin/", "/static/../admin.py", "/static/admin/css/none.css"):
            assert ask(port, "GET", path).status == 404
        assert ask(port, "GET", "/admin/login/").status == 200
