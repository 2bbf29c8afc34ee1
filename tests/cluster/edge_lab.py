"""The chart without its operator, for tests of what stands before the bank: they scale and load it themselves."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import ssl
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from cluster.cluster import kubectl
from cluster.lab import BANK, CHART, INSTALL_SECONDS, RELEASE, eventually, helm
from racelab_operator.auditor import Auditor
from racelab_operator.load_arguments import LoadAddresses, load_arguments
from racelab_operator.platforms.kubernetes.pods import ready_pods
from racelab_operator.spec import RaceExperiment
from racelab_operator.steps import Step, expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from racelab_operator.observed import Audit

FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
REPLICA = "Racelab-Replica"
IN_THE_CLUSTER = LoadAddresses("https://lab-edge", "/etc/racelab/ca/ca.crt", "http://lab-auditor:9000")
ENTRIES_AND_OPERATIONS = """
SELECT count(*), count(DISTINCT operation) FROM entry JOIN account ON account.id = entry.account
JOIN run ON run.id = account.run_id WHERE run.key = '{key}'
"""
# A generator that is told to stop waits five seconds for its answers: what stood in line for longer was not dropped.
DROPPED = """
SELECT operation.key, (end_microseconds - begin_microseconds) / 1e6, status, error
FROM operation JOIN run ON run.id = operation.run
WHERE run.key = '{key}' AND type <> 'ok' AND error IS DISTINCT FROM 'the run was stopped before the answer'
"""
# Takes every request as a replica would, writes down the operations of those that are to change something, and goes
# silent on all.
TRAP = """
import http.server, urllib.parse
class Trap(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.close_connection = True
    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        print(form["operation"][0], flush=True)
        self.close_connection = True
http.server.ThreadingHTTPServer(("", 8000), Trap).serve_forever()
"""


@contextlib.contextmanager
def forwarded(namespace: str, target: str, port: int) -> Iterator[int]:
    """Forward a free port of this machine to one Pod of a target such as service/lab-edge; give the port."""
    command = ["kubectl", "port-forward", "--namespace", namespace, "--address=127.0.0.1", target, f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = FORWARDING.match(line)
            assert found, f"{' '.join(command)}: {line}{process.stdout.read()}"
            yield int(found[1])
        finally:
            process.terminate()


def authority(namespace: str) -> str:
    """Give the chart's certificate authority (PEM)."""
    return str(json.loads(kubectl("get", "configmap", "lab-ca", "-n", namespace, "-o=json"))["data"]["ca.crt"])


def deposits(duration_seconds: int, *, concurrency: int, accounts: int, window_milliseconds: int) -> Step:
    """Plan a long closed-loop load of deposits, computed by the database: none of them may be lost."""
    load = {"durationSeconds": duration_seconds, "concurrency": concurrency, "accounts": accounts}
    spec = {
        "scenario": "deposit",
        "strategies": ["f_expression"],
        "windowMilliseconds": [window_milliseconds],
        "load": load,
    }
    head = {"apiVersion": "racelab.dev/v1alpha1", "kind": "RaceExperiment", "metadata": {"name": "edge"}}
    [step] = expand(RaceExperiment.model_validate({**head, "spec": spec}), "edge").steps
    return step


@dataclass(frozen=True)
class EdgeLab:
    """A release in a namespace, and its auditor through a port-forward."""

    namespace: str
    auditor: Auditor

    @contextlib.contextmanager
    def edge(self) -> Iterator[httpx.Client]:
        """Reach the edge; each time anew, since tests replace it."""
        with (
            forwarded(self.namespace, "service/lab-edge", 443) as port,
            client_of("lab-edge", port, authority(self.namespace)) as client,
        ):
            yield client

    def replicas(self) -> frozenset[str]:
        """Name the bank's Pods that are ready and not about to go."""
        return ready_pods(self._pods("bank"))

    def _pods(self, component: str) -> list[dict[str, Any]]:
        selector = f"--selector=app.kubernetes.io/component={component}"
        pods: list[dict[str, Any]] = json.loads(self._kubectl("get", "pods", selector, "-o=json"))["items"]
        return pods

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def scale(self, replicas: int) -> frozenset[str]:
        """Scale the bank, wait until so many are ready and each has answered; name the replicas."""
        self._kubectl("scale", f"deployment/{BANK}", f"--replicas={replicas}")
        names = eventually(f"{replicas} ready replicas", lambda: self._exactly(replicas), 90)
        self.answered_by(names)
        return names

    def _exactly(self, replicas: int) -> frozenset[str] | None:
        names = self.replicas()
        return names if len(names) == replicas else None

    def answered_by(self, names: frozenset[str]) -> None:
        """Wait until each of these replicas has answered."""
        missing = set(names)
        with self.edge() as client:

            def everybody() -> bool:
                missing.discard(client.get("/").raise_for_status().headers[REPLICA])
                return not missing

            eventually(f"answers of {', '.join(sorted(names))}", everybody)

    def settled(self, component: str, pods: int) -> None:
        """Wait until the Pods of a component that were told to end have ended, and so many are left."""
        eventually(f"{pods} Pods of the {component}", lambda: len(self._pods(component)) == pods)

    def replace_edge(self) -> None:
        """Let a new Pod take the edge's place, and wait until the old one has ended."""
        self._kubectl("rollout", "restart", "deployment/lab-edge")
        self._kubectl("rollout", "status", "deployment/lab-edge", "--timeout=90s")
        self.settled("edge", 1)

    def kill(self, replica: str) -> None:
        """Take a replica away without giving it the time that it needs."""
        self._kubectl("delete", "pod", replica, "--force", "--grace-period=0")

    @contextlib.contextmanager
    def trap(self) -> Iterator[Callable[[], list[str]]]:
        """Put a Pod among the replicas that takes requests and never answers; give a way to ask which operations."""
        container = {"name": "trap", "command": ["python", "-u", "-c", TRAP]}
        self._kubectl("apply", "--filename=-", stdin=json.dumps(_pod("trap", "bank", container)))
        try:
            self._kubectl("wait", "pod/trap", "--for=condition=Ready", "--timeout=60s")
            yield lambda: self._kubectl("logs", "trap").split()
        finally:
            self._kubectl("delete", "pod", "trap", "--grace-period=1")

    @contextlib.contextmanager
    def load(self, step: Step) -> Iterator[str]:
        """Run one generator in the namespace; give the run's key once it sends.

        Afterwards it is told to stop, has uploaded its history, and the run is closed.
        """
        key = f"edge-{secrets.token_hex(4)}"
        self.auditor.open_run(step, key, {})
        self._kubectl("apply", "--filename=-", stdin=json.dumps(_generator(key, step)))
        eventually("the generator to send", lambda: (audit := self.auditor.audit(key)) and audit.entries)
        yield key
        # It stops sending, waits for the answers that are due, and uploads; the Pod is gone after that.
        self._kubectl("delete", "pod", key, "--timeout=60s")
        self.auditor.close_run(key)

    def audited(self, key: str) -> Audit:
        """Give the final audit of a closed run."""

        def final() -> Audit | None:
            audit = self.auditor.audit(key)
            return audit if audit is not None and audit.final else None

        return eventually("the final audit", final)

    def entries_and_operations(self, key: str) -> tuple[int, int]:
        """Count a run's entries, and how many different operations they belong to, in the database itself."""
        [[entries, operations]] = self._rows(ENTRIES_AND_OPERATIONS, key)
        return int(entries), int(operations)

    def dropped(self, key: str) -> list[list[str]]:
        """List a run's operations that were not ok: key, seconds that it took, status, reason."""
        return self._rows(DROPPED, key)

    def _rows(self, query: str, key: str) -> list[list[str]]:
        psql = ("exec", "lab-postgresql-0", "--", "psql", "-U", "racelab", "-At", "-F\t", "-c", query.format(key=key))
        return [line.split("\t") for line in self._kubectl(*psql).splitlines()]


def answerers(client: httpx.Client, requests: int) -> list[str]:
    """Name who answers each of some requests, sent one after the other on one HTTP/2 connection."""
    answers = [client.get("/").raise_for_status() for _ in range(requests)]
    assert {answer.http_version for answer in answers} == {"HTTP/2"}
    connections = {answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers}
    assert len(connections) == 1, f"the connection did not last: {connections}"
    return [answer.headers[REPLICA] for answer in answers]


def assert_turns(client: httpx.Client, replicas: frozenset[str], requests: int) -> str:
    """Assert that the replicas answer in turn, one request each; tell the figures."""
    eventually("the edge to know these replicas only", lambda: _is_even(answerers(client, 4 * len(replicas)), replicas))
    begin = time.monotonic()
    names = answerers(client, requests)
    seconds = time.monotonic() - begin
    counted = Counter(names)
    out_of_turn = sum(name != before for before, name in zip(names, names[len(replicas) :], strict=False))
    figures = f"{requests} requests in {seconds:.1f} s: {sorted(counted.values())}, {out_of_turn} out of turn"
    assert set(counted) == replicas, figures
    # Names are looked up every second; where DNS shuffles its answers, a new round begins each time.
    assert all(abs(count - requests / len(replicas)) <= 2 + seconds for count in counted.values()), figures
    assert out_of_turn <= len(replicas) * (1 + seconds), figures
    return figures


def _is_even(names: list[str], replicas: frozenset[str]) -> bool:
    return Counter(names) == Counter(dict.fromkeys(replicas, len(names) // len(replicas)))


class _ThroughPort(httpx.HTTPTransport):
    """Sends everything to a port of this machine, and expects the certificate of the host that was meant."""

    def __init__(self, port: int, ca: str) -> None:
        limits = httpx.Limits(max_connections=1, keepalive_expiry=600)
        super().__init__(verify=ssl.create_default_context(cadata=ca), http2=True, limits=limits, trust_env=False)
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host="127.0.0.1", port=self._port)
        return super().handle_request(request)


def client_of(host: str, port: int, ca: str) -> httpx.Client:
    """Make a client of an HTTPS host that is reached through a port of this machine; HTTP/2 is up to ALPN."""
    return httpx.Client(base_url=f"https://{host}", transport=_ThroughPort(port, ca), timeout=30, trust_env=False)


@contextlib.contextmanager
def installed_lab(namespace: str, *values: str) -> Iterator[EdgeLab]:
    """Install the chart as release lab, with these values set beside the image's."""
    _install(namespace, values)
    token = kubectl("get", "secret", "lab-token", "-n", namespace, "-o=go-template={{.data.token | base64decode}}")
    with (
        forwarded(namespace, "service/lab-auditor", 9000) as port,
        Auditor(f"http://127.0.0.1:{port}", token) as auditor,
    ):
        yield EdgeLab(namespace, auditor)


def _install(namespace: str, values: Sequence[str]) -> None:
    """Install the chart without its operator, and wait until everything is ready."""
    repository, tag = os.environ["RACELAB_IMAGE"].rsplit(":", 1)
    ours = [f"image.repository={repository}", f"image.tag={tag}", "operator.enabled=false", "crds.install=false"]
    # Small nodes run these tests too.
    ours += [f"{part}.resources.requests.cpu=10m" for part in ("bank", "edge", "auditor", "postgresql")]
    flags = [f"--set={value}" for value in (*ours, *values)]
    where = (RELEASE, str(CHART), f"--namespace={namespace}", "--wait", f"--timeout={INSTALL_SECONDS}s")
    helm("install", *where, *flags)


def _generator(key: str, step: Step) -> dict[str, Any]:
    """Write the Pod of a generator, as the operator would."""
    token = {"name": "RACELAB_TOKEN", "valueFrom": {"secretKeyRef": {"name": "lab-token", "key": "token"}}}
    container = {
        "name": "load",
        "command": ["racelab-load", "run"],
        "args": load_arguments(step, key, 0, IN_THE_CLUSTER),
        "env": [token],
        "volumeMounts": [{"name": "ca", "mountPath": "/etc/racelab/ca", "readOnly": True}],
    }
    return _pod(key, "load", container, {"name": "ca", "configMap": {"name": "lab-ca"}})


def _pod(name: str, component: str, container: dict[str, Any], *volumes: dict[str, Any]) -> dict[str, Any]:
    """Write a Pod with the labels of one of the release's components."""
    labels = {"app.kubernetes.io/name": "racelab", "app.kubernetes.io/instance": RELEASE}
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{**container, "image": os.environ["RACELAB_IMAGE"], "securityContext": security}],
        "volumes": volumes,
    }
    metadata = {"name": name, "labels": labels | {"app.kubernetes.io/component": component}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
