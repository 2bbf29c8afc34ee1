"""The cluster's own controller before the edge: Traefik, for Ingress and for the Gateway API."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from cluster.cluster import fresh_namespace, kubectl, try_kubectl
from cluster.edge_lab import EdgeLab, assert_turns, authority, client_of, forwarded, installed_lab
from cluster.lab import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

HERE = Path(__file__).parent
INGRESS_HOST = "ingress.racelab.test"
GATEWAY_HOST = "gateway.racelab.test"
# The newest of the kinds without which Traefik 3.7 serves no Gateway.
GATEWAY_API = "tlsroutes.gateway.networking.k8s.io"
NO_GATEWAY_API = f"the cluster has no {GATEWAY_API}: install the standard CRDs of the Gateway API 1.5 first"


@dataclass(frozen=True)
class Controller:
    """Traefik before a lab's edge, reached through `port` of this machine."""

    lab: EdgeLab
    port: int
    ca: str
    gateway_api: bool

    def client(self, host: str) -> httpx.Client:
        return client_of(host, self.port, self.ca)


@contextlib.contextmanager
def applied(file: str, namespace: str) -> Iterator[None]:
    """Apply a manifest of this folder; delete it afterwards, since some of it belongs to the whole cluster."""
    manifest = (HERE / file).read_text(encoding="utf-8").replace("NAMESPACE", namespace)
    kubectl("apply", "--filename=-", stdin=manifest)
    try:
        yield
    finally:
        kubectl("delete", "--filename=-", "--ignore-not-found", "--wait=false", stdin=manifest)


@pytest.fixture(scope="module")
def controller() -> Iterator[Controller]:
    gateway_api = try_kubectl("get", "crd", GATEWAY_API).returncode == 0
    with contextlib.ExitStack() as stack:
        namespace = stack.enter_context(fresh_namespace("racelab-ingress"))
        stack.enter_context(applied("traefik.yaml", namespace))
        values = ["bank.replicas=3", "ingress.enabled=true", f"ingress.host={INGRESS_HOST}"]
        values += [f"ingress.className={namespace}-traefik"]
        if gateway_api:
            stack.enter_context(applied("gateway.yaml", namespace))
            values += ["httpRoute.enabled=true", f"httpRoute.hostnames={{{GATEWAY_HOST}}}"]
            values += ["httpRoute.parentRefs[0].name=gateway", "httpRoute.parentRefs[0].sectionName=https"]
        lab = stack.enter_context(installed_lab(namespace, *values))
        kubectl("rollout", "status", "deployment/traefik", f"--namespace={namespace}", "--timeout=90s")
        port = stack.enter_context(forwarded(namespace, "deployment/traefik", 8443))
        yield Controller(lab, port, authority(namespace), gateway_api)


def assert_serves(controller: Controller, host: str) -> None:
    """Assert that a host speaks HTTP/2 with the chart's certificate, applies a deposit, and takes turns."""
    with controller.client(host) as client:
        eventually(f"{host} to lead to the bank", lambda: _answers(client))
        deposit = {"account": 1, "amount": 100, "operation": str(uuid.uuid4())}
        answer = client.post("/bank/deposit/row_lock/", data=deposit)
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)
        assert answer.json()["outcome"] == "applied"

        assert_turns(client, controller.lab.replicas(), 60)


def _answers(client: httpx.Client) -> bool:
    """Tell whether a replica answers; until the controller knows the host, its certificate is none of ours."""
    try:
        return client.get("/").status_code == 200
    except httpx.ConnectError:
        return False


def test_an_ingress_speaks_http2_with_the_charts_certificate_and_replicas_take_turns(controller: Controller) -> None:
    assert_serves(controller, INGRESS_HOST)


def test_a_gateway_speaks_http2_with_the_charts_certificate_and_replicas_take_turns(controller: Controller) -> None:
    if not controller.gateway_api:
        pytest.skip(NO_GATEWAY_API)
    assert_serves(controller, GATEWAY_HOST)


def test_the_charts_certificate_is_for_no_other_host(controller: Controller) -> None:
    with controller.client("other.racelab.test") as client, pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
        client.get("/")
