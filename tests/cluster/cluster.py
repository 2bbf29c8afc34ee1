"""The cluster of the current kubeconfig, for tests: kubectl, namespaces of one's own, the CRD of this version."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CRD_FILE = ROOT / "helm" / "racelab" / "files" / "crd.yaml"
CRD_NAME = "raceexperiments.racelab.dev"


def try_kubectl(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run kubectl, whatever comes of it."""
    return subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False)


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl and return what it says; fail the test with its error."""
    done = try_kubectl(*arguments, stdin=stdin)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


@contextlib.contextmanager
def fresh_namespace(prefix: str = "racelab-e2e") -> Iterator[str]:
    """Make a namespace that enforces restricted Pod Security; remove it afterwards."""
    name = f"{prefix}-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    try:
        kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield name
    finally:
        _empty(name)
        kubectl("delete", "namespace", name, "--wait=true", "--timeout=120s")


def _empty(namespace: str) -> None:
    """End what runs there, soon: a namespace that still has Pods waits for half of the time that they may take."""
    here = ("--namespace", namespace, "--all")
    try_kubectl("delete", "raceexperiments", *here, "--timeout=60s")  # while there is an operator that ends them
    kubectl("delete", "deployments,statefulsets,jobs,replicasets", *here, "--wait=false")
    kubectl("delete", "pods", *here, "--grace-period=1")


def install_crd() -> None:
    """See to it that the cluster has the CRD of this version, and uses it."""
    wanted = ("--server-side", "--force-conflicts", "--field-manager=racelab-tests", f"--filename={CRD_FILE}")
    if try_kubectl("diff", *wanted).returncode == 0:
        return
    kubectl("apply", *wanted)
    kubectl("wait", "--for=condition=Established", f"crd/{CRD_NAME}", "--timeout=60s")
    [version] = yaml.safe_load(CRD_FILE.read_text(encoding="utf-8"))["spec"]["versions"]
    rules = _rules(version["schema"]["openAPIV3Schema"])
    deadline = time.monotonic() + 60
    while (published := _published_rules()) != rules:
        assert time.monotonic() < deadline, f"the API server does not use the new CRD: {published ^ rules}"
        time.sleep(0.2)


def _published_rules() -> set[str]:
    said = try_kubectl("get", "--raw", "/openapi/v3/apis/racelab.dev/v1alpha1")
    return _rules(json.loads(said.stdout)) if said.returncode == 0 else set()


def _rules(value: Any) -> set[str]:
    """Collect the CEL rules with their messages, anywhere in a document."""
    if isinstance(value, list):
        return set().union(*map(_rules, value))
    if not isinstance(value, dict):
        return set()
    own = {json.dumps(rule, sort_keys=True) for rule in value.get("x-kubernetes-validations", ())}
    return own.union(*map(_rules, value.values()))
