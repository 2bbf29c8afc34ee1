from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from lab.http2 import FrameClient
from lab.programs import FAKES, kill, wait_until
from racelab_operator.platforms.local.lab import LocalLab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from racelab_operator.platforms.local.addresses import Addresses


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files tell which requests are in flight and which may be answered."""
    return tmp_path_factory.mktemp("hold")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, lab_database: str, hold: Path) -> Iterator[LocalLab]:
    """A lab of fakes; each test gets it with three replicas, which are ready."""
    home = tmp_path_factory.mktemp("lab") / "home"
    with pytest.MonkeyPatch.context() as patch, LocalLab(home, database_url=lab_database, programs=FAKES) as lab:
        patch.setenv("HOLD_DIRECTORY", str(hold))
        lab.start(3)
        yield lab


@pytest.fixture
def three(shared: LocalLab) -> LocalLab:
    shared.scale(3)
    wait_until(lambda: len(shared.ready_replicas()) == 3)
    return shared


@pytest.fixture
def addresses(three: LocalLab) -> Addresses:
    return three.addresses


@pytest.fixture
def client(addresses: Addresses) -> Iterator[httpx.Client]:
    """One HTTP/2 connection to the edge."""
    context = ssl.create_default_context(cafile=addresses.ca_file)
    limits = httpx.Limits(max_connections=1)
    with httpx.Client(
        http2=True,
        http1=False,
        verify=context,
        base_url=addresses.https_url,
        limits=limits,
        trust_env=False,
        timeout=30,
    ) as client:
        yield client


def names(client: httpx.Client, count: int) -> list[str]:
    return [client.post("/", data={"amount": "1"}).text for _ in range(count)]


def test_each_request_of_one_connection_goes_to_the_next_replica(client: httpx.Client) -> None:
    answers = [client.post("/", data={"amount": "1"}) for _ in range(9)]
    assert {answer.http_version for answer in answers} == {"HTTP/2"}
    order = [answer.text for answer in answers]
    assert sorted(order[:3]) == ["bank-0", "bank-1", "bank-2"]
    assert order == order[:3] * 3


def test_the_certificate_holds_for_the_address_and_for_localhost_and_there_is_plain_http(addresses: Addresses) -> None:
    context = ssl.create_default_context(cafile=addresses.ca_file)
    for url in (addresses.https_url, addresses.https_url.replace("127.0.0.1", "localhost")):
        for http2, version in ((True, "HTTP/2"), (False, "HTTP/1.1")):
            with httpx.Client(http2=http2, verify=context, trust_env=False) as client:
                answer = client.get(url)
                assert (answer.status_code, answer.http_version) == (200, version)
    plain = httpx.get(addresses.http_url, trust_env=False)
    assert (plain.status_code, plain.http_version) == (200, "HTTP/1.1")


def test_scaling_follows_and_drops_no_request_in_flight(three: LocalLab, addresses: Addresses, hold: Path) -> None:
    with FrameClient(addresses.https_url, addresses.ca_file) as client:
        held = [client.post(f"/hold/{number}") for number in range(3)]
        for number in range(3):
            wait_until((hold / f"{number}.begun").exists)
        for count in (1, 2):
            expected = tuple(f"bank-{number}" for number in range(count))
            three.scale(count)
            wait_until(lambda expected=expected: three.ready_replicas() == expected)  # type: ignore[misc]
            answered = {httpx.get(addresses.http_url, trust_env=False).text for _ in range(4)}
            assert answered == set(expected)
        for number in range(3):
            (hold / f"{number}.go").touch()
        answers = client.finish(*held)
    assert [answer[":status"] for answer in answers] == ["200"] * 3
    assert {answer["racelab-replica"] for answer in answers} == {"bank-0", "bank-1", "bank-2"}


def test_a_request_that_was_sent_is_never_sent_again(client: httpx.Client, hold: Path) -> None:
    for method in ("POST", "GET", "PUT"):
        assert client.request(method, "/drop").status_code == 502
    lines = (hold / "dropped").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["POST", "GET", "PUT"]


def test_a_request_that_could_not_be_sent_goes_to_the_next(three: LocalLab, client: httpx.Client) -> None:
    kill(three.home, "bank-1")
    assert {client.post("/", data={"amount": "1"}).status_code for _ in range(6)} == {200}
    wait_until(lambda: len(three.ready_replicas()) == 3)
    assert set(names(client, 3)) == {"bank-0", "bank-1", "bank-2"}


def test_a_replica_gets_a_request_only_when_it_is_there_wholly(addresses: Addresses, hold: Path) -> None:
    port = int(addresses.http_url.rpartition(":")[2])
    head = "POST /hold/whole HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\na"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode())
        # All three replicas answer others meanwhile; none of them has begun this one.
        assert len({httpx.get(addresses.http_url, trust_env=False).text for _ in range(3)}) == 3
        assert not (hold / "whole.begun").exists()
        connection.sendall(b"b")
        wait_until((hold / "whole.begun").exists)
        (hold / "whole.go").touch()
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_when_the_edge_dies_connections_are_refused_and_it_is_reported(lab: LocalLab) -> None:
    addresses = lab.start(1)
    assert not lab.failed_processes()
    kill(lab.home, "edge")
    with pytest.raises(httpx.ConnectError):
        httpx.get(addresses.http_url, trust_env=False)
    assert lab.failed_processes()["edge"].startswith("signal SIGKILL")
