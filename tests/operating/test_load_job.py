"""The Job of a step's load."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import yaml

from operating.samples import SETTINGS, UID, experiment
from racelab_operator.errors import WrongUseError
from racelab_operator.platforms.kubernetes.job import load_job
from racelab_operator.platforms.kubernetes.settings import read_settings
from racelab_operator.steps import load_name, run_key

if TYPE_CHECKING:
    from pathlib import Path

RACE = experiment(load={"requests": 300, "generators": 3})
STEP = RACE.steps[0]
KEY = run_key(RACE, STEP)
JOB = load_job(RACE, STEP, KEY, SETTINGS)
POD = JOB["spec"]["template"]


def test_it_is_indexed_with_one_pod_per_generator_and_none_is_started_again() -> None:
    spec = JOB["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert (spec["backoffLimit"], POD["spec"]["restartPolicy"]) == (0, "Never")
    assert "ttlSecondsAfterFinished" not in spec
    assert spec["activeDeadlineSeconds"] > 300 * 50 / 1000


def test_its_name_is_always_the_same_and_it_belongs_to_its_experiment_by_uid() -> None:
    assert JOB["metadata"]["name"] == load_name(RACE, STEP) == "sample-7b143-0-load"
    (owner,) = JOB["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("RaceExperiment", "sample", UID, True)


def test_the_longest_name_leaves_room_for_an_index() -> None:
    long = experiment()
    name = load_name(type(long)("x" * 63, UID, long.expect, long.steps), long.steps[0])
    assert len(f"{name}-15") <= 63


def test_each_pod_is_told_its_own_index_and_where_everything_is() -> None:
    arguments = POD["spec"]["containers"][0]["args"]
    flags = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert (flags["--generator"], flags["--generators"]) == ("$(JOB_COMPLETION_INDEX)", "3")
    assert flags["--url"] == "https://lab-edge/bank/deposit/atomic_only/"
    assert (flags["--auditor"], flags["--run"]) == ("http://lab-auditor:9000", KEY)
    assert flags["--ca-file"] == "/etc/racelab/ca/ca.crt"


def test_the_chart_s_template_is_kept_and_labelled() -> None:
    assert POD["spec"]["automountServiceAccountToken"] is False
    assert POD["spec"]["containers"][0]["image"] == "racelab:dev"
    assert POD["metadata"]["labels"] == {
        "component": "load",
        "racelab.dev/experiment": "sample",
        "racelab.dev/step": "0",
    }


def test_the_settings_are_not_changed_by_it() -> None:
    before = copy.deepcopy(SETTINGS.load_pod)
    load_job(RACE, STEP, KEY, SETTINGS)
    assert SETTINGS.load_pod == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"target": ""}, "target: "),
        ({"auditorUrl": "lab-auditor:9000"}, "auditorUrl: "),
        ({"edgeUrl": "http://lab-edge"}, "edgeUrl: "),
        ({"loadPod": {"spec": {"containers": []}}}, "loadPod: "),
        ({"colour": "red"}, "colour: "),
    ],
)
def test_wrong_settings_are_told_by_field(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    file = tmp_path / "operator.yaml"
    file.write_text(yaml.safe_dump(SETTINGS.model_dump(by_alias=True) | changes))
    with pytest.raises(WrongUseError, match=told):
        read_settings(file)


def test_settings_that_are_not_there_or_no_yaml_are_told(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match="cannot be read"):
        read_settings(tmp_path / "nowhere.yaml")
    file = tmp_path / "operator.yaml"
    file.write_text("{")
    with pytest.raises(WrongUseError, match="is not YAML"):
        read_settings(file)
    file.write_text(yaml.safe_dump(SETTINGS.model_dump(by_alias=True)))
    assert read_settings(file) == SETTINGS
