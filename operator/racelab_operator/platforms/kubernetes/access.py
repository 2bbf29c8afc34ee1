"""Reaching a cluster as a user does: by a kubeconfig and one of its contexts, or else as the Pod one is in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config import kube_config

from racelab_operator.errors import RacelabError, WrongUseError
from racelab_operator.platforms.kubernetes.certificates import tolerant_client
from racelab_operator.platforms.kubernetes.cluster import TIMEOUT_SECONDS

DEFAULT_NAMESPACE: Final = "default"
# What the library raises for YAML that is none of a kubeconfig.
_WRONG_SHAPE: Final = (AttributeError, KeyError, TypeError)
_SERVICE_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the API server, and the namespace that is meant where none is named."""

    configuration: client.Configuration
    namespace: str

    def connect(self) -> client.ApiClient:
        """Make a client of its own, for one thread that needs it."""
        return tolerant_client(self.configuration)

    def version(self) -> str | None:
        """Ask which Kubernetes it is; None where nobody answers."""
        try:
            told = client.VersionApi(self.connect()).get_code(_request_timeout=TIMEOUT_SECONDS)
        except (client.ApiException, urllib3.exceptions.HTTPError, OSError, ValueError):
            return None
        return str(told.git_version)


def access(context: str | None) -> Access:
    """Read the kubeconfig; `context`: which of its contexts, the current one when None.

    Raises:
        WrongUseError: there is no such context.
        RacelabError: no cluster is known here, or the kubeconfig is of no use.

    """
    configuration = client.Configuration()
    configuration.retries = False
    try:
        merger = kube_config.KubeConfigMerger(_location())  # type: ignore[no-untyped-call]
        known = [] if merger.config is None else [str(one["name"]) for one in merger.config["contexts"]]
    except (config.ConfigException, OSError, yaml.YAMLError, *_WRONG_SHAPE) as error:
        raise RacelabError(f"{_location()}: is no kubeconfig: {' '.join(str(error).split())}") from None
    if merger.config is None:
        return _of_pod(configuration, context)
    if context is not None and context not in known:
        allowed = ", ".join(sorted(known)) or "none: the kubeconfig has no contexts"
        raise WrongUseError(f"--context: given {context}, allowed {allowed}")
    try:
        loader = kube_config.KubeConfigLoader(  # type: ignore[no-untyped-call]
            merger.config, context, config_base_path=None, config_persister=merger.save_changes
        )
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        namespace = loader.current_context["context"].get("namespace")
    except (config.ConfigException, OSError, *_WRONG_SHAPE) as error:
        raise RacelabError(f"the kubeconfig is of no use: {error}: name a context with --context") from None
    return Access(configuration, namespace or DEFAULT_NAMESPACE)


def _location() -> str:
    """Name the kubeconfigs, as kubectl does; the library looks at the environment only when it is imported."""
    return os.environ.get("KUBECONFIG") or kube_config.KUBE_CONFIG_DEFAULT_LOCATION


def _of_pod(configuration: client.Configuration, context: str | None) -> Access:
    """Fall back on the Pod's service account."""
    if context is not None:
        raise WrongUseError(f"--context: given {context}, but there is no kubeconfig: set KUBECONFIG")
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        advice = "set KUBECONFIG, or run it in a Pod with a service account"
        raise RacelabError(f"no cluster is known here: there is no kubeconfig: {advice}") from None
    try:
        namespace = _SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        namespace = DEFAULT_NAMESPACE
    return Access(configuration, namespace)
