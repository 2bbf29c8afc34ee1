"""The operator as a whole: kopf in the main thread, the sweep and the probes beside it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import kopf
from kopf._core.engines.peering import Identity

from racelab_operator.auditor import Auditor
from racelab_operator.errors import WrongUseError
from racelab_operator.handlers import registry
from racelab_operator.platforms.kubernetes.access import access
from racelab_operator.platforms.kubernetes.cluster import Cluster
from racelab_operator.platforms.kubernetes.edge import EdgeProbe
from racelab_operator.platforms.kubernetes.health import Health
from racelab_operator.platforms.kubernetes.platform import KubernetesPlatform
from racelab_operator.platforms.kubernetes.reconciling import Reconciler
from racelab_operator.platforms.kubernetes.serving import serving
from racelab_operator.platforms.kubernetes.settings import read_settings
from racelab_operator.platforms.kubernetes.sweeping import PARTS, Sweeper

if TYPE_CHECKING:
    from pathlib import Path

AUDITOR_TIMEOUT_SECONDS: Final = 10


def operate(namespace: str, settings_file: Path, token: str, bind: str) -> None:
    """Perform the experiments of a namespace until SIGTERM or SIGINT.

    Raises:
        WrongUseError: the settings are wrong.
        RacelabError: there is no cluster, or the address is taken.

    """
    settings = read_settings(settings_file)
    ca_file = _ca_file(settings.ca_file)
    cluster = Cluster(access(None).connect(), namespace)

    def platform() -> KubernetesPlatform:
        auditor = Auditor(settings.auditor_url, token, timeout_seconds=AUDITOR_TIMEOUT_SECONDS)
        return KubernetesPlatform(cluster, settings, auditor, EdgeProbe(settings.edge_url, ca_file))

    health = Health(PARTS)
    reconciler = Reconciler(cluster, platform)
    sweeper = Sweeper(cluster, reconciler, health)
    with serving(bind, health):
        sweeper.start()
        try:
            # Without an identity kopf asks for the user's name, and a Pod's user has none.
            identity = Identity(socket.gethostname())
            handlers = registry(reconciler, health)
            kopf.run(registry=handlers, namespaces=[namespace], standalone=True, identity=identity)
        finally:
            sweeper.stop()


def _ca_file(name: str) -> Path:
    from pathlib import Path  # noqa: PLC0415  at run time only here

    if not (path := Path(name)).is_file():
        raise WrongUseError(f"caFile: given {name}, which is no file: mount the edge's certificate authority there")
    return path
