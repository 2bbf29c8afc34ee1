"""The few calls to the API server that the operator makes; objects are plain JSON. Every call may be repeated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import urllib3
from kubernetes import client

from racelab_operator.crd import GROUP, PLURAL, VERSION
from racelab_operator.platforms.kubernetes.errors import (
    ChangedError,
    ClusterRefusedError,
    ClusterUnreachableError,
    InvalidObjectError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Object = dict[str, Any]

TIMEOUT_SECONDS: Final = (3, 10)  # to connect, to read
_CHANGED: Final = 409
_GONE: Final = 404
_INVALID: Final = frozenset({400, 422})


class Cluster:
    """One namespace of a cluster. For use by several threads.

    Raises ClusterUnreachableError while the API server does not answer, ClusterRefusedError where it says no,
    ChangedError where an object is not what it was when it was read. What is not there is None.
    """

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self.namespace = namespace
        self._races = client.CustomObjectsApi(api)
        self._jobs = client.BatchV1Api(api)
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)
        self._autoscaling = client.AutoscalingV2Api(api)

    def races(self) -> list[Object]:
        """List every experiment of the namespace."""
        call = self._races.list_namespaced_custom_object
        return self._listed(call, GROUP, VERSION, self.namespace, PLURAL)

    def race(self, name: str) -> Object | None:
        """Get an experiment."""
        return self._got(self._races.get_namespaced_custom_object, GROUP, VERSION, self.namespace, PLURAL, name)

    def knows_races(self) -> bool:
        """Whether the cluster knows the kind RaceExperiment."""
        call = self._races.list_namespaced_custom_object
        return self._got(call, GROUP, VERSION, self.namespace, PLURAL, limit=1) is not None

    def create_race(self, manifest: Object, *, dry_run: bool = False) -> Object | None:
        """Make an experiment, or only see whether it would be; None where the namespace is not there.

        Raises InvalidObjectError as well: the schema refuses it.
        """
        call = self._races.create_namespaced_custom_object
        options = {"dry_run": "All"} if dry_run else {}
        return self._got(call, GROUP, VERSION, self.namespace, PLURAL, manifest, field_validation="Strict", **options)

    def store_status(self, race: Object, status: Object) -> Object | None:
        """Replace an experiment's status, unless it was changed since it was read; None where it is gone."""
        call = self._races.replace_namespaced_custom_object_status
        body = {key: race[key] for key in ("apiVersion", "kind", "metadata", "spec")} | {"status": status}
        return self._got(call, GROUP, VERSION, self.namespace, PLURAL, race["metadata"]["name"], body)

    def patch_race(self, name: str, patch: Object) -> Object | None:
        """Merge something into an experiment; None where it is gone."""
        call = self._races.patch_namespaced_custom_object
        return self._got(call, GROUP, VERSION, self.namespace, PLURAL, name, patch)

    def delete_race(self, name: str, uid: str) -> None:
        """Delete an experiment, unless another one has its name by now."""
        body = {"preconditions": {"uid": uid}}
        call = self._races.delete_namespaced_custom_object
        self._got(call, GROUP, VERSION, self.namespace, PLURAL, name, body=body)

    def scale(self, deployment: str) -> int | None:
        """Read how many replicas a Deployment should have."""
        scale = self._got(self._apps.read_namespaced_deployment_scale, deployment, self.namespace)
        return None if scale is None else scale["spec"].get("replicas", 0)

    def set_scale(self, deployment: str, replicas: int) -> None:
        """Have a Deployment run so many replicas."""
        patch = {"spec": {"replicas": replicas}}
        self._got(self._apps.patch_namespaced_deployment_scale, deployment, self.namespace, patch)

    def autoscalers(self) -> list[Object]:
        """List the autoscalers of the namespace."""
        return self._listed(self._autoscaling.list_namespaced_horizontal_pod_autoscaler, self.namespace)

    def pods(self, selector: str) -> list[Object]:
        """List the Pods with these labels."""
        return self._listed(self._core.list_namespaced_pod, self.namespace, label_selector=selector)

    def services(self, selector: str) -> list[Object]:
        """List the Services with these labels."""
        return self._listed(self._core.list_namespaced_service, self.namespace, label_selector=selector)

    def secret(self, name: str) -> Object | None:
        """Get a Secret."""
        return self._got(self._core.read_namespaced_secret, name, self.namespace)

    def job(self, name: str) -> Object | None:
        """Get a Job."""
        return self._got(self._jobs.read_namespaced_job, name, self.namespace)

    def create_job(self, manifest: Object) -> None:
        """Make a Job; ChangedError when there is one of its name."""
        self._got(self._jobs.create_namespaced_job, self.namespace, manifest)

    def stop_job(self, name: str) -> None:
        """Suspend a Job: its Pods are asked to end (SIGTERM)."""
        self._got(self._jobs.patch_namespaced_job, name, self.namespace, {"spec": {"suspend": True}})

    def delete_job(self, name: str) -> None:
        """Delete a Job with its Pods."""
        self._got(self._jobs.delete_namespaced_job, name, self.namespace, propagation_policy="Background")

    def create_event(self, event: Object) -> None:
        """Tell something of an object."""
        self._got(self._core.create_namespaced_event, self.namespace, event)

    def _listed(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> list[Object]:
        found = self._got(call, *arguments, **options)
        return [] if found is None else found["items"]

    def _got(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Object | None:
        """Make a call; an answer of 404 is None."""
        try:
            answer = call(*arguments, _preload_content=False, _request_timeout=TIMEOUT_SECONDS, **options)
            found: Object = json.loads(answer.data)
        except client.ApiException as error:
            _raise_unless_gone(error)
            return None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ClusterUnreachableError(f"the API server does not answer: {error}") from None
        return found


def _raise_unless_gone(error: client.ApiException) -> None:
    status, words = error.status or 0, _words(error)
    if status == _GONE:
        return
    if status == _CHANGED:
        raise ChangedError(words) from None
    # 401: a token that is being renewed. 429: asked to come back later.
    if status in {0, 401, 429} or status >= 500:
        raise ClusterUnreachableError(f"the API server does not answer: {status} {words}") from None
    refusal = InvalidObjectError if status in _INVALID else ClusterRefusedError
    raise refusal(f"the API server refused: {words}") from None


def _words(error: client.ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
