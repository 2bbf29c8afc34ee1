"""The chart: what it renders, what it refuses, and that upgrades keep what they should."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.cluster import CRD_FILE, CRD_NAME, fresh_namespace, kubectl, try_kubectl
from cluster.lab import CHART, RELEASE, helm
from cluster.wrong_values import WRONG_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Object = dict[str, Any]

OPTIONS: dict[str, list[str]] = {
    "defaults": [],
    "everything": [f"--values={Path(__file__).with_name('everything.yaml')}"],
    "no operator": ["--set=operator.enabled=false,bank.replicas=3,networkPolicy.enabled=false"],
    "all of one's own": [
        "--set=auth.existingSecret=mine,edge.tls.existingSecret=cert-manager",
        "--set=postgresql.enabled=false,externalDatabase.existingSecret=managed,externalDatabase.existingSecretKey=uri",
    ],
}
# API groups of kinds that not every cluster has, and who brings them.
FOREIGN = {
    "gateway.networking.k8s.io": "the Gateway API",
    "monitoring.coreos.com": "the Prometheus operator",
}


def rendered(*options: str, namespace: str = "default") -> list[Object]:
    text = helm("template", RELEASE, str(CHART), f"--namespace={namespace}", *options)
    return [one for one in yaml.safe_load_all(text) if one]


def one(objects: list[Object], kind: str, name: str) -> Object:
    [found] = [found for found in objects if (found["kind"], found["metadata"]["name"]) == (kind, name)]
    return found


def pod_specs(objects: list[Object]) -> dict[str, Object]:
    """Give every Pod that the chart starts, and the load's, which the operator starts."""
    found = {}
    for each in objects:
        name = f"{each['kind']}/{each['metadata']['name']}"
        if each["kind"] == "Pod":
            found[name] = each["spec"]
        elif "template" in each.get("spec", {}):
            found[name] = each["spec"]["template"]["spec"]
        elif settings := (each.get("data") or {}).get("operator.yaml"):
            found["the load"] = yaml.safe_load(settings)["loadPod"]["spec"]
    return found


def secrets_of(namespace: str) -> dict[str, dict[str, str]]:
    names = (f"{RELEASE}-token", f"{RELEASE}-postgresql", f"{RELEASE}-edge-tls")
    return {name: json.loads(kubectl("get", "secret", name, "-n", namespace, "-o=json"))["data"] for name in names}


def install(namespace: str, image: str, *options: str) -> str:
    repository, _, tag = image.rpartition(":")
    own = f"--set=image.repository={repository},image.tag={tag},crds.install=false"
    flags = ("--wait", "--timeout=300s", own, *options)
    return helm("upgrade", "--install", RELEASE, str(CHART), f"--namespace={namespace}", *flags)


@pytest.fixture(scope="module")
def release(crd: None, image: str) -> Iterator[str]:
    """The namespace of a release with the default values, under restricted Pod Security."""
    with fresh_namespace("racelab-chart") as namespace:
        install(namespace, image)
        yield namespace


@pytest.fixture(scope="module")
def empty_namespace() -> Iterator[str]:
    """A namespace to try things in that are not done; it warns of all that restricted Pod Security would refuse."""
    with fresh_namespace("racelab-chart") as namespace:
        kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/warn=restricted")
        yield namespace


def test_lint_finds_nothing() -> None:
    said = helm("lint", "--strict", str(CHART))
    assert "0 chart(s) failed" in said
    assert not [line for line in said.splitlines() if line.startswith(("[WARNING]", "[ERROR]"))]


@pytest.mark.parametrize("value", WRONG_VALUES)
def test_a_wrong_value_is_refused_with_its_place_and_what_is_allowed(value: str) -> None:
    command = ["helm", "template", RELEASE, str(CHART), f"--set={value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0, f"{value} was taken"
    assert [words for words in WRONG_VALUES[value] if words not in done.stderr] == [], done.stderr


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_api_server_takes_every_object_without_a_warning(options: list[str], empty_namespace: str) -> None:
    objects = rendered(*options, namespace=empty_namespace)
    groups = {each["apiVersion"].partition("/")[0] for each in objects}
    known = kubectl("api-versions")
    missing = {group: who for group, who in FOREIGN.items() if group in groups and f"{group}/" not in known}
    taken = [each for each in objects if each["apiVersion"].partition("/")[0] not in missing]

    dry_run = ("--server-side", "--force-conflicts", "--dry-run=server", "--filename=-")
    done = try_kubectl("apply", "-n", empty_namespace, *dry_run, stdin=yaml.safe_dump_all(taken))

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(taken)
    if missing:
        pytest.skip(f"all but the objects of {' and '.join(missing.values())}, which this cluster does not have")


def test_the_count_of_replicas_is_rendered_only_where_no_operator_owns_it() -> None:
    assert "replicas" not in one(rendered(), "Deployment", "lab-bank")["spec"]
    without = rendered("--set=operator.enabled=false,bank.replicas=3")
    assert one(without, "Deployment", "lab-bank")["spec"]["replicas"] == 3


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_container_is_read_only_has_limits_and_only_the_operator_has_a_token(options: list[str]) -> None:
    pods = pod_specs(rendered(*options))
    assert len(pods) >= 5

    containers = [container for pod in pods.values() for container in pod["containers"]]
    assert all(container["securityContext"]["readOnlyRootFilesystem"] for container in containers)
    assert all(container["resources"]["limits"]["memory"] for container in containers)
    with_token = {name for name, pod in pods.items() if pod["automountServiceAccountToken"]}
    assert {name.rpartition("-")[2] for name in with_token} <= {"operator", "release"}


def test_nothing_reaches_beyond_the_namespace_but_the_kind_itself() -> None:
    kinds = {each["kind"] for each in rendered()}
    assert not {kind for kind in kinds if kind.startswith("Cluster")}
    assert {each["metadata"].get("namespace") for each in rendered() if each["kind"] != "CustomResourceDefinition"} == {
        "default"
    }


def test_the_kind_is_installed_as_it_was_generated_and_stays_when_the_release_goes() -> None:
    rendered_crd = one(rendered(), "CustomResourceDefinition", CRD_NAME)
    assert rendered_crd["spec"] == yaml.safe_load(CRD_FILE.read_text(encoding="utf-8"))["spec"]
    assert rendered_crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert "CustomResourceDefinition" not in {each["kind"] for each in rendered("--set=crds.install=false")}


def test_a_kind_that_belongs_to_somebody_else_is_left_alone_and_the_notes_say_so(
    crd: None, empty_namespace: str
) -> None:
    found = json.loads(kubectl("get", "crd", CRD_NAME, "-o=json"))
    owner = (found["metadata"].get("annotations") or {}).get("meta.helm.sh/release-name")

    said = helm("install", "another", str(CHART), f"--namespace={empty_namespace}", "--dry-run=server")

    assert "kind: CustomResourceDefinition" not in said
    assert f"belongs to {f'release {owner}' if owner else 'no release'}" in said


def test_helm_test_deposits_over_http_2(release: str) -> None:
    assert "Phase:          Succeeded" in helm("test", RELEASE, f"--namespace={release}", "--timeout=120s")


def test_upgrades_keep_secrets_and_leave_the_replicas_to_the_operator(release: str, image: str) -> None:
    before = secrets_of(release)
    bank = ("deployment/lab-bank", "-n", release)
    kubectl("scale", *bank, "--replicas=2")
    try:
        install(release, image)
        install(release, image, "--set=auditor.resources.requests.cpu=60m")
        replicas = json.loads(kubectl("get", *bank, "-o=json"))["spec"]["replicas"]
    finally:
        kubectl("scale", *bank, "--replicas=1")

    assert secrets_of(release) == before
    assert replicas == 2
    tokens = [base64.b64decode(before["lab-token"][key]).decode() for key in ("token", "secret-key")]
    assert [len(token) for token in tokens] == [40, 50]


def test_another_name_for_the_edge_makes_another_certificate_and_keeps_the_rest(release: str, image: str) -> None:
    before = secrets_of(release)
    install(release, image, "--set=edge.tls.names={bank.example.org}")
    after = secrets_of(release)

    assert after["lab-edge-tls"]["tls.crt"] != before["lab-edge-tls"]["tls.crt"]
    assert {name: after[name] for name in ("lab-token", "lab-postgresql")} == {
        name: before[name] for name in ("lab-token", "lab-postgresql")
    }
    # What Pods trust goes with it.
    trusted = json.loads(kubectl("get", "configmap", "lab-ca", "-n", release, "-o=json"))["data"]["ca.crt"]
    assert trusted.strip() == base64.b64decode(after["lab-edge-tls"]["ca.crt"]).decode().strip()
    assert "Phase:          Succeeded" in helm("test", RELEASE, f"--namespace={release}", "--timeout=120s")
