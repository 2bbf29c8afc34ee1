"""What the Pods of a lab may do on the cluster: the operator what it needs, everybody else nothing."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from kubernetes import client

from cluster.lab import BANK, QUICK, RELEASE, Lab, spec

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

GROUPS = {
    "raceexperiments": "racelab.dev",
    "jobs": "batch",
    "deployments": "apps",
    "statefulsets": "apps",
    "horizontalpodautoscalers": "autoscaling",
    "roles": "rbac.authorization.k8s.io",
    "rolebindings": "rbac.authorization.k8s.io",
    "customresourcedefinitions": "apiextensions.k8s.io",
}
READ = "get list watch"
WRITE = "create update patch delete"

# Verbs, resource (with its subresource), name; "*" is any name.
NEEDED = [
    ("get list watch update patch delete", "raceexperiments", "*"),
    ("get update patch", "raceexperiments/status", "*"),
    ("get list create patch delete", "jobs", "*"),
    ("get list", "pods", "*"),
    ("get patch", "deployments/scale", BANK),
    ("get list", "horizontalpodautoscalers", "*"),
    ("create", "events", "*"),
]
FORBIDDEN = [
    (f"{READ} {WRITE}", "secrets", "*"),
    ("get", "secrets", f"{RELEASE}-token"),
    (f"{READ} {WRITE}", "configmaps", "*"),
    (f"{WRITE} watch", "pods", "*"),
    ("create get", "pods/exec", "*"),
    ("create get", "pods/portforward", "*"),
    ("get", "pods/log", "*"),
    (f"{READ} {WRITE}", "deployments", "*"),
    (f"{WRITE} get", "deployments", BANK),
    ("get update patch", "deployments/scale", "*"),
    ("get update patch", "deployments/scale", f"{RELEASE}-edge"),
    ("get update patch", "deployments/scale", f"{RELEASE}-operator"),
    (f"{READ} {WRITE}", "statefulsets", "*"),
    ("update watch", "jobs", "*"),
    ("create", "raceexperiments", "*"),
    (WRITE, "horizontalpodautoscalers", "*"),
    (f"{READ} {WRITE}", "serviceaccounts", "*"),
    ("create", "serviceaccounts/token", "*"),
    (f"{READ} {WRITE}", "roles", "*"),
    (f"{READ} {WRITE} bind escalate", "rolebindings", "*"),
]
NOWHERE_ELSE = [
    (f"{READ} {WRITE}", "raceexperiments", "*"),
    (f"{READ} {WRITE}", "jobs", "*"),
    (f"{READ} {WRITE}", "pods", "*"),
    (f"{READ} {WRITE}", "secrets", "*"),
    ("get patch", "deployments/scale", BANK),
    ("create", "events", "*"),
    (READ, "namespaces", "*"),
    (READ, "customresourcedefinitions", "*"),
]


def allowed(lab: Lab, account: str, attributes: dict[str, str]) -> bool:
    """Ask the API server, as `kubectl auth can-i` does."""
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{lab.namespace}", "system:authenticated"]
    user = {"user": f"system:serviceaccount:{lab.namespace}:{account}", "groups": groups}
    review: Any = {"spec": {"resourceAttributes": attributes, **user}}
    answer: Any = client.AuthorizationV1Api(lab.api).create_subject_access_review(review)
    return bool(answer.status.allowed)


def attributes_of(namespace: str, verb: str, resource: str, name: str) -> dict[str, str]:
    plural, _, subresource = resource.partition("/")
    attributes = {"namespace": namespace, "verb": verb, "group": GROUPS.get(plural, ""), "resource": plural}
    return attributes | {"subresource": subresource, "name": "" if name == "*" else name}


def table(lab: Lab, account: str, namespace: str, rows: list[tuple[str, str, str]]) -> dict[str, bool]:
    return {
        f"{verb} {resource} {name}": allowed(lab, account, attributes_of(namespace, verb, resource, name))
        for verbs, resource, name in rows
        for verb in verbs.split()
    }


def test_the_operator_may_do_what_it_needs_in_its_namespace_and_no_more(lab: Lab) -> None:
    operator = f"{RELEASE}-operator"

    may = table(lab, operator, lab.namespace, NEEDED)
    assert [question for question, answer in may.items() if not answer] == []
    may_not = table(lab, operator, lab.namespace, FORBIDDEN)
    assert [question for question, answer in may_not.items() if answer] == []


@pytest.mark.parametrize("namespace", ["default", "kube-system", ""])
def test_the_operator_may_do_nothing_in_other_namespaces_nor_in_all(lab: Lab, namespace: str) -> None:
    may = table(lab, f"{RELEASE}-operator", namespace, NOWHERE_ELSE)
    assert [question for question, answer in may.items() if answer] == []


def test_the_service_account_of_all_other_pods_may_do_nothing(lab: Lab) -> None:
    may = table(lab, "default", lab.namespace, NEEDED)
    assert [question for question, answer in may.items() if answer] == []


def test_no_pod_but_the_operator_holds_a_token_of_kubernetes(lab: Lab) -> None:
    lab.make("without-token", spec(**QUICK))
    lab.ends("without-token")

    seen = {change.name: change.object for change in list(lab.watching.changes) if change.kind == "pod"}
    holders = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]: [
            mount["mountPath"]
            for container in pod["spec"]["containers"]
            for mount in container.get("volumeMounts", ())
            if "serviceaccount" in mount["mountPath"]
        ]
        for pod in seen.values()
    }
    assert set(holders) == {"bank", "edge", "auditor", "operator", "postgresql", "load"}
    assert [component for component, mounts in holders.items() if mounts] == ["operator"]


def test_restricted_pod_security_takes_every_pod(lab: Lab) -> None:
    lab.make("restricted", spec(**QUICK, replicas=[3]))
    lab.ends("restricted")

    events = yaml.safe_load(lab.kubectl("get", "events", "--output=yaml"))["items"]
    told = [event["message"] for event in events if "PodSecurity" in event["message"]]
    assert told == []
    labels = yaml.safe_load(lab.kubectl("get", "namespace", lab.namespace, "--output=yaml"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
