"""Many threads, few connections: whoever works has a seat, and who does not holds nothing."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction

from racelab_bank.serving.seats import Seats, seated

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture
def seats() -> Iterator[Seats]:
    two = Seats(2)
    yield two
    two.close()


def server_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


def test_many_threads_share_the_connections_of_few_seats(seats: Seats) -> None:
    together = threading.Barrier(20)

    def work() -> int:
        together.wait(20)
        with seats.taken():
            pid = server_pid()
        assert not list(connections.all(initialized_only=True))
        return pid

    with ThreadPoolExecutor(20) as threads:
        pids = [one.result() for one in [threads.submit(work) for _ in range(20)]]
    assert 1 <= len(set(pids)) <= 2


def test_a_connection_that_was_lost_is_another_one_for_the_next(seats: Seats) -> None:
    def lose() -> int:
        with seats.taken(), connection.cursor() as cursor:
            pid = server_pid()
            with pytest.raises(OperationalError):
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return pid

    def work() -> int:
        with seats.taken():
            return server_pid()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lose).result() != thread.submit(work).result()


def test_what_fails_gives_its_seat_back_and_no_transaction_is_left_open(seats: Seats) -> None:
    def fail() -> None:
        with seats.taken(), transaction.atomic():
            server_pid()
            raise ValueError

    def work() -> bool:
        with seats.taken():
            server_pid()
            return connection.in_atomic_block

    with ThreadPoolExecutor(1) as thread:
        for _ in range(3):
            with pytest.raises(ValueError):
                thread.submit(fail).result()
        assert thread.submit(work).result() is False


def test_a_body_that_is_streamed_holds_no_seat() -> None:
    one = Seats(1)
    answer = seated(lambda environ, start: iter([b"part"]), one)
    with ThreadPoolExecutor(1) as thread:
        body = thread.submit(answer, {}, None).result()
        with one.taken():
            assert list(body) == [b"part"]
