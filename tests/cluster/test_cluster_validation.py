"""What `kubectl apply` takes and refuses, and that `racelab validate` says the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from cluster.cluster import ROOT, fresh_namespace, install_crd, kubectl, try_kubectl
from cluster.mutated_files import mutated_files
from cluster.wrong_manifests import EDITS, STORED, WRONG
from racelab_operator.errors import InvalidFilesError
from racelab_operator.observed import Operations
from racelab_operator.race_status import Condition, CurrentStep, ProgressMemory, RaceStatus, StepStatus
from racelab_operator.spec import read_experiments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300), pytest.mark.usefixtures("crd")]

FILES = 200
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
STATUS = RaceStatus(
    observed_generation=1,
    conditions=(Condition(type="Progressing", status="True", reason="load", last_transition_time=NOW),),
    start_time=NOW,
    completion_time=NOW,
    original_replicas=2,
    stage="load",
    message="performs step 4",
    step=CurrentStep(index=3, name="1-replica-row_lock-read-committed-0ms", position="4/6"),
    steps=(
        StepStatus(
            index=0,
            name="1-replica-atomic_only-read-committed-0ms",
            strategy="atomic_only",
            isolation="read-committed",
            replicas=1,
            window_milliseconds=0,
            outcome="Anomalous",
            verdict="Refuted",
            reason="187 lost updates",
            run="stored-uid12-0",
            operations=Operations(ok=299, info=1),
            lost=187,
            drift_cents=-18_700,
            absolute_drift_cents=18_700,
            start_skew_microseconds=180,
            replicas_seen=1,
        ),
    ),
    verdict="Refuted",
    lost=187,
    drift_cents=-18_700,
    drift="−187.00",
    progress=ProgressMemory(
        stage="load",
        step=3,
        hold="Queued",
        conflict="an autoscaler",
        restored=False,
        deadline=5,
        acted_at_milliseconds=6,
        run_seen=True,
        gate_decided=True,
        missing_since=7,
        silent_since=8,
    ),
)
EXPERIMENTS = ROOT / "k8s" / "experiments"


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace for all of these tests: none of them minds the others' experiments."""
    install_crd()
    with fresh_namespace("racelab-validation") as name:
        yield name


def refused_by_the_cluster(folder: Path, namespace: str) -> dict[str, str]:
    """Apply every file of a folder without storing it; the names of the refused ones, with what is told of each."""
    done = try_kubectl("apply", "--namespace", namespace, "--dry-run=server", "--filename", str(folder))
    told = re.split(r"\n(?=Error from|error|Resource)|, (?=unable to decode|error parsing)", done.stderr)
    names = [file.name for file in folder.iterdir()]
    refused = {name: "\n".join(part for part in told if name in part) for name in names if name in done.stderr}
    accepted = re.findall(r" (?:created|configured) \(server dry run\)", done.stdout)
    assert len(accepted) + len(refused) == len(names), done.stdout + done.stderr
    return refused


def refused_by_racelab(file: Path) -> str:
    """Validate a file; what is told of it, nothing where it is accepted."""
    try:
        read_experiments([file])
    except InvalidFilesError as error:
        return str(error)
    return ""


def differences(folder: Path, namespace: str) -> list[str]:
    by_cluster = refused_by_the_cluster(folder, namespace)
    found = []
    for file in sorted(folder.iterdir()):
        ours = refused_by_racelab(file)
        if bool(ours) != (file.name in by_cluster):
            theirs = by_cluster.get(file.name, "accepted")
            found.append(f"{file.read_text()}racelab validate: {ours or 'accepted'}\nkubectl apply: {theirs}\n")
    return found


def test_validate_and_the_cluster_accept_and_refuse_the_same_200_files(tmp_path: Path, namespace: str) -> None:
    @settings(max_examples=FILES, derandomize=True, phases=[Phase.generate], database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(mutated_files())
    def write(text: str) -> None:
        (tmp_path / f"{len(list(tmp_path.iterdir())):04}.yaml").write_text(text)

    write()

    files = list(tmp_path.iterdir())
    accepted = sum(not refused_by_racelab(file) for file in files)
    assert len(files) >= FILES
    assert FILES // 3 < accepted < 2 * FILES // 3
    assert "\n".join(differences(tmp_path, namespace)) == ""


def test_every_experiment_of_the_repository_is_accepted(namespace: str) -> None:
    said = kubectl("apply", "--namespace", namespace, "--dry-run=server", "--filename", str(EXPERIMENTS))

    names = [race.metadata.name for race in read_experiments(sorted(EXPERIMENTS.glob("*.yaml")))]
    assert sorted(said.splitlines()) == sorted(
        f"raceexperiment.racelab.dev/{name} created (server dry run)" for name in names
    )


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_manifest_is_refused_with_its_field_its_value_and_the_limit(case: str, namespace: str) -> None:
    manifest, *expected = WRONG[case]

    done = try_kubectl("apply", "--namespace", namespace, "--filename", "-", stdin=manifest)

    assert done.returncode != 0
    assert [part for part in expected if part not in done.stderr] == [], done.stderr


@pytest.fixture(scope="module")
def stored(namespace: str) -> None:
    kubectl("apply", "--namespace", namespace, "--filename", "-", stdin=STORED)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("case", EDITS)
def test_an_experiment_keeps_its_spec_and_an_edit_is_told_what_may_change(case: str, namespace: str) -> None:
    old, new, *expected = EDITS[case]
    assert old in STORED

    done = try_kubectl("apply", "--namespace", namespace, "--filename", "-", stdin=STORED.replace(old, new))

    assert done.returncode != 0
    assert [part for part in expected if part not in done.stderr] == [], done.stderr


def test_suspend_and_ttl_may_change_and_abort_cannot_be_taken_back(namespace: str) -> None:
    text = STORED.replace("stored", "changing")

    def apply(*more: str) -> str:
        done = try_kubectl("apply", "--namespace", namespace, "--filename", "-", stdin=text + "".join(more))
        return done.stderr or done.stdout.rpartition(" ")[2].strip()

    assert apply() == "created"
    assert apply("  suspend: true\n") == "configured"
    assert apply("  ttlSecondsAfterFinished: 5\n") == "configured"
    assert apply("  ttlSecondsAfterFinished: 6\n") == "configured"
    assert apply() == "configured"
    assert apply("  abort: true\n") == "configured"
    for taken_back in ("  abort: false\n", ""):
        told = apply(taken_back)
        assert "spec.abort" in told
        assert "given false, it was true: an abort cannot be taken back, make another experiment" in told
    assert apply("  abort: true\n", "  suspend: true\n") == "configured"


def test_what_is_left_out_is_shown_with_its_default(namespace: str) -> None:
    manifest = STORED.replace("stored", "bare").partition("  isolation")[0]
    said = kubectl("apply", "--namespace", namespace, "--dry-run=server", "--output=yaml", "-f", "-", stdin=manifest)
    assert yaml.safe_load(said)["spec"] == {
        "scenario": "withdraw",
        "strategies": ["row_lock", "atomic_only"],
        "isolation": ["read-committed"],
        "replicas": [3],
        "windowMilliseconds": [0],
        "load": {
            "requests": 300,
            "concurrency": 20,
            "amountCents": 100,
            "arrival": "closed",
            "generators": 1,
            "seed": 7,
        },
        "expect": "Claim",
        "suspend": False,
        "abort": False,
    }
    lasting = manifest + "  load: {durationSeconds: 5}\n"
    said = kubectl("apply", "--namespace", namespace, "--dry-run=server", "--output=yaml", "-f", "-", stdin=lasting)
    assert "requests" not in yaml.safe_load(said)["spec"]["load"]


@pytest.mark.usefixtures("stored")
def test_a_whole_status_is_stored_as_it_was_written_and_shown_in_columns(namespace: str) -> None:
    patch = STATUS.model_dump_json(by_alias=True, exclude_none=True)
    there = ("raceexperiment", "stored", "--namespace", namespace)
    kubectl("patch", *there, "--subresource=status", "--type=merge", f'--patch={{"status": {patch}}}')

    assert RaceStatus.model_validate_json(kubectl("get", *there, "--output=jsonpath={.status}")) == STATUS
    [heading, row] = kubectl("get", "race", "stored", "--namespace", namespace).splitlines()
    assert heading.split() == ["NAME", "SCENARIO", "STEP", "VERDICT", "DRIFT", "LOST", "AGE"]
    assert row.split()[:-1] == ["stored", "withdraw", "4/6", "Refuted", "−187.00", "187"]
    wide = kubectl("get", "racelab", "--namespace", namespace, "--output=wide")
    assert "performs step 4" in wide
    assert "1-replica-row_lock-read-committed-0ms" in wide
