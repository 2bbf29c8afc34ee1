"""`racelab watch --platform kubernetes` on a lab that the chart installed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cluster.commands import END_SECONDS, environment
from cluster.lab import spec
from lab.terminals import on_terminal, picture, restored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

RACY = spec(strategies=["atomic_only"], load={"requests": 400})


def arguments(lab: Lab, *more: str) -> list[str]:
    return ["watch", "--platform", "kubernetes", "--namespace", lab.namespace, *more]


def values(process: subprocess.Popen[str]) -> Iterator[Any]:
    """Read the lines of JSON that it prints."""
    assert process.stdout is not None
    yield from map(json.loads, process.stdout)


def test_an_experiment_is_watched_from_its_first_entry_to_its_verdict_also_over_the_auditors_restart(
    lab: Lab,
) -> None:
    argv = [sys.executable, "-m", "racelab_operator", *arguments(lab, "--json")]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            told = values(process)
            lab.make("watched", RACY)
            first = next(one for one in told if one["experiment"] == "watched" and one["entries"])
            assert (first["run"], first["state"]) == (lab.run_key("watched"), "open")
            before = lab.ready("auditor")
            lab.kubectl("delete", "pod", before, "--grace-period=0", "--force")
            # The operator judges the run some moments after its audit is final.
            last = next(one for one in told if one["verdict"])
        finally:
            process.kill()
    audit = lab.audit(first["run"])
    assert (last["verdict"], last["final"], last["outcome"]) == ("Confirmed", True, "Anomalous")
    assert (last["entries"], last["drift_cents"], last["lost"]) == (audit.entries, audit.drift_cents, audit.lost)
    assert last["drift_cents"] < 0
    assert lab.confirms("watched")


def test_on_a_terminal_steps_are_shown_with_what_the_operator_is_doing(lab: Lab) -> None:
    lab.make("shown", spec(load={"requests": 200}))
    lab.is_loaded("shown")
    with on_terminal(*arguments(lab), columns=120) as screen:
        screen.shows("shown: step 1/1, ")
        screen.shows("Confirmed")
        screen.type("\x03")
        assert screen.exit_code() == 0
    assert restored(screen.raw)
    left = picture(screen.raw.rpartition(b"\x1b[?1049l")[2])
    assert left[0] == f"namespace {lab.namespace} · shown"
    [row] = [line for line in left if "row_lock" in line]
    assert row.split()[1:5] == ["200", "0.00", "0", "0"]
    assert row.endswith("Confirmed")


def test_a_namespace_without_a_lab_is_told_in_one_line(lab: Lab) -> None:
    argv = [sys.executable, "-m", "racelab_operator", "watch", "--platform", "kubernetes", "--namespace", "kube-system"]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment(), timeout=END_SECONDS, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("racelab: no racelab is installed in namespace kube-system: `helm upgrade")
