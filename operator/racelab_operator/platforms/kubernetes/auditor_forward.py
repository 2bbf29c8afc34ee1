"""The auditor of a cluster, reached from outside: found by its Service, through the API server."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from racelab_operator.auditor import Auditor
from racelab_operator.errors import RacelabError
from racelab_operator.platforms.kubernetes.cluster import Cluster
from racelab_operator.platforms.kubernetes.forwarding import Forwarder
from racelab_operator.platforms.kubernetes.pods import ready_pods
from racelab_operator.platforms.kubernetes.submitting import COMPONENT, PART_OF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_operator.platforms.kubernetes.access import Access

TOKEN_ANNOTATION: Final = "racelab.dev/token-secret"  # noqa: S105  a name, not a secret
TOKEN_KEY: Final = "token"  # noqa: S105  as above
VERSION_LABEL: Final = "app.kubernetes.io/version"
TIMEOUT_SECONDS: Final = 10

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReachedAuditor:
    """A client of the auditor, and the version of the racelab that it belongs to, where that is told."""

    client: Auditor
    version: str | None


@contextlib.contextmanager
def auditor_of(access: Access, namespace: str) -> Iterator[ReachedAuditor]:
    """Reach the auditor of a namespace for as long as the context lasts.

    Raises:
        RacelabError: it is not there, not ready, or something that is needed to reach it is forbidden.

    """
    cluster = Cluster(access.connect(), namespace)
    service = _service(cluster)
    token = _token(cluster, service)
    with (
        Forwarder(access.connect, namespace, lambda: _target(cluster, service)) as forwarder,
        Auditor(forwarder.url, token, timeout_seconds=TIMEOUT_SECONDS) as auditor,
    ):
        yield ReachedAuditor(auditor, (service["metadata"].get("labels") or {}).get(VERSION_LABEL))


def _service(cluster: Cluster) -> Object:
    found = cluster.services(f"{PART_OF},{COMPONENT}=auditor")
    if not found:
        raise RacelabError(f"there is no auditor's Service in namespace {cluster.namespace}")
    return min(found, key=lambda service: str(service["metadata"]["name"]))


def _token(cluster: Cluster, service: Object) -> str:
    name = (service["metadata"].get("annotations") or {}).get(TOKEN_ANNOTATION)
    if name is None:
        raise RacelabError(f"Service {service['metadata']['name']} has no annotation {TOKEN_ANNOTATION}")
    secret = cluster.secret(name)
    value = ((secret or {}).get("data") or {}).get(TOKEN_KEY)
    if value is None:
        raise RacelabError(f"Secret {name} with the key {TOKEN_KEY} is not there")
    return base64.b64decode(value).decode()


def _target(cluster: Cluster, service: Object) -> tuple[str, int]:
    """Choose a ready Pod of the Service, and the port that the Service sends to."""
    selector = ",".join(f"{key}={value}" for key, value in (service["spec"].get("selector") or {}).items())
    pods = cluster.pods(selector)
    ready = sorted(ready_pods(pods))
    if not ready:
        raise RacelabError(f"no Pod of Service {service['metadata']['name']} is ready")
    pod = next(pod for pod in pods if pod["metadata"]["name"] == ready[0])
    return ready[0], _port(service["spec"]["ports"][0], pod)


def _port(port: Object, pod: Object) -> int:
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"]["containers"]:
        for offered in container.get("ports") or ():
            if offered.get("name") == wanted:
                return int(offered["containerPort"])
    raise RacelabError(f"Pod {pod['metadata']['name']} has no port {wanted}")
