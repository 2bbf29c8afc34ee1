"""Every example experiment, as it is: the proof of each step holds, live and finally, in the lab and from its file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from lab.programs import wait_until
from racelab_bank.audit.graph.order import ranks
from racelab_bank.audit.graph.replay import replay
from racelab_bank.audit.jsonl.reading import read
from racelab_bank.audit.report import audit
from racelab_bank.strategies import strategies

if TYPE_CHECKING:
    from racelab_bank.audit.history import History
    from whole.racelab import Home

EXAMPLES = sorted((Path(__file__).parents[2] / "k8s/experiments").glob("*.yaml"))

#: What the live audit and the final one both tell; of anomalies, those that the live one follows.
SAME = (
    "accounts", "entries", "opening_cents", "ledger_total_cents", "balance_cents", "drift_cents",
    "absolute_drift_cents", "lost", "culprits", "overdrafts", "identity_holds", "writers_seen",
)  # fmt: skip
FOLLOWED = ("lost_update", "visible_overdraft", "hidden_overdraft", "duplicate")


def followed(told: dict[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in SAME} | {kind: told["anomalies"][kind] for kind in FOLLOWED}


def lost_cents(history: History) -> int:
    rows = history.versions.entry[history.versions.victims]
    return int(history.tables.entries.amount_cents.values[rows].sum())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_proof_of_every_step_holds(example: Path, home: Home) -> None:
    out = home.path / "report.json"
    process = home.start("run", str(example), "--json", str(out), "--keep", "--quiet")
    record = home.lab(process)
    wait_until(lambda: (out.exists() and bool(out.read_text())) or process.poll() is not None, 500)
    assert process.poll() is None, process.communicate()
    told = json.loads(out.read_text())
    reports = told if isinstance(told, list) else [told]
    # Whether a race shows is a matter of luck, and not what is proved here.
    wrong = [one for report in reports for one in report["steps"] if one["verdict"] in {"Refuted", "Unknown"}]
    assert not wrong, [step["reason"] for step in wrong]
    assert record.addresses is not None
    token = {"Authorization": f"Bearer {record.addresses.token}"}
    with httpx.Client(base_url=record.addresses.auditor_url, headers=token, trust_env=False, timeout=60) as api:
        for step in (step for report in reports for step in report["steps"]):
            prove(api, step)


def prove(api: httpx.Client, step: dict[str, Any]) -> None:
    """Ask the auditor for everything that it says of a step's run, and hold one against the other."""
    final = api.get(f"/api/runs/{step['run']}/audit").raise_for_status().json()
    live = api.get(f"/api/runs/{step['run']}/audit?live=true").raise_for_status().json()
    assert final["final"]
    assert not live["final"]
    assert followed(live) == followed(final), step["name"]
    assert final["identity_holds"], step["name"]
    exported = api.get(f"/api/runs/{step['run']}/history").raise_for_status().content
    history = read(io.BytesIO(exported)).history
    again = audit(history, final=True).to_json(step["run"], start_skew_microseconds=final["start_skew_microseconds"])
    assert again == final, step["name"]
    assert lost_cents(history) == -final["drift_cents"], step["name"]
    certificate = final["certificate"]
    atomic = strategies()[step["strategy"]].transaction == "atomic"
    ordered = step["isolation"] == "serializable" or "lock" in step["strategy"]
    if atomic and ordered and step["claim"] != "racy":
        assert certificate["serializable"], (step["name"], certificate)
    if certificate["serializable"]:
        order = history.order_of_installs.decode(certificate["order"])
        assert replay(history, ranks(order)) is None
        assert certificate["operations"] == len(order) == len({entry.id for entry in history.entries})
    else:
        assert step["claim"] == "racy" or certificate["cycles"].keys() <= {"interleaved_additions", "stale_guard"}
