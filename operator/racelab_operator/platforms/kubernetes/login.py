"""How kopf reaches the API server: as the Pod's service account, or else as the current kubeconfig says."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import kopf

from racelab_operator.platforms.kubernetes.certificates import tolerant

if TYPE_CHECKING:
    import ssl


class _Connection(kopf.ConnectionInfo):
    def as_ssl_context(self) -> ssl.SSLContext:
        return tolerant(super().as_ssl_context())


def login(**about: Any) -> kopf.ConnectionInfo | None:
    """Log in; None where there is no way. `about`: what kopf tells its login handlers."""
    found = kopf.login_with_service_account(**about) or kopf.login_with_kubeconfig(**about)
    if found is None:
        return None
    return _Connection(**{field.name: getattr(found, field.name) for field in dataclasses.fields(found)})
