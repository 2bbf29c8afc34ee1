"""The image's programs on a real cluster: restricted Pod Security, read-only root, a real database."""

import json
import os
from pathlib import Path

import pytest

from cluster.cluster import kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

MANIFEST = Path(__file__).with_name("bank.yaml")

# Runs in the bank's container: one deposit, then what the auditor says of it, as one JSON line.
DEPOSIT = """
import json, urllib.parse, urllib.request
def ask(url, method, body=None, **headers):
    request = urllib.request.Request(url, body, {"Authorization": "Bearer only-in-this-test", **headers}, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return dict(answer.headers), json.load(answer)
run = {"scenario": "deposit", "strategy": "row_lock", "isolation": "read-committed", "accounts": 1,
       "opening_cents": 0, "generators": 1}
api = "http://127.0.0.1:9000/api/runs/e2e"
_, opened = ask(api, "PUT", json.dumps(run).encode(), **{"Content-Type": "application/json"})
form = urllib.parse.urlencode({"account": opened["accounts"][0], "amount": 250, "operation": "1"}).encode()
headers, answer = ask("http://127.0.0.1:8000/bank/deposit/row_lock/", "POST", form)
_, audit = ask(api + "/audit", "GET")
print(json.dumps({"replica": headers["Racelab-Replica"], "answer": answer, "audit": audit}))
"""


def test_bank_and_auditor_become_ready_and_a_deposit_is_in_the_ledger(namespace: str) -> None:
    manifest = MANIFEST.read_text(encoding="utf-8").replace("IMAGE", os.environ["RACELAB_IMAGE"])
    kubectl("apply", "--namespace", namespace, "--filename", "-", stdin=manifest)
    kubectl("wait", "--namespace", namespace, "--for=condition=Ready", "pod/lab", "--timeout=240s")

    said = kubectl("exec", "--namespace", namespace, "lab", "--container", "bank", "--", "python", "-c", DEPOSIT)

    told = json.loads(said)
    assert told["replica"] == "bank-0"
    assert told["answer"] | {"entry": None} == {
        "outcome": "applied",
        "entry": None,
        "balance_before_cents": 0,
        "balance_after_cents": 250,
        "retries": 0,
    }
    assert (told["audit"]["ledger_total_cents"], told["audit"]["drift_cents"]) == (250, 0)


def test_all_programs_of_the_image_answer_and_print_one_version(namespace: str) -> None:
    overrides = {
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "versions",
                    "image": os.environ["RACELAB_IMAGE"],
                    "command": ["sh", "-c"],
                    "args": ["for p in racelab racelab-bank racelab-load racelab-operator; do $p --version; done"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        }
    }
    arguments = ["--image", os.environ["RACELAB_IMAGE"], "--restart=Never", f"--overrides={json.dumps(overrides)}"]
    kubectl("run", "--namespace", namespace, "versions", *arguments)
    kubectl(
        "wait", "--namespace", namespace, "--for=jsonpath={.status.phase}=Succeeded", "pod/versions", "--timeout=120s"
    )
    lines = kubectl("logs", "--namespace", namespace, "versions").splitlines()
    assert len(lines) == 4
    assert len({line.rsplit(maxsplit=1)[-1] for line in lines}) == 1
