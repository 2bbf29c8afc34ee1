"""What an experiment file may say, and what is told of one that says something else."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from brain.samples import document, race
from brain.wrong_files import GOOD, WRONG
from racelab_operator.catalog import catalog
from racelab_operator.errors import InvalidFilesError
from racelab_operator.spec import RaceExperiment, read_experiments

if TYPE_CHECKING:
    from racelab_operator.catalog import Scenario

EXPERIMENTS = Path(__file__).parents[2] / "k8s" / "experiments"
CATALOG = catalog()


def some_of(names: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)


def at_every_level(scenario: str) -> list[str]:
    """Name the strategies that serve a scenario at every isolation level."""
    return [
        name
        for name in CATALOG.strategies_for(scenario)
        if set(CATALOG.strategies[name].claims[scenario]) == set(CATALOG.isolations)
    ]


def specs_of(scenario: Scenario) -> st.SearchStrategy[dict[str, Any]]:
    """Give whole specs of a scenario, with the fields that it takes."""
    own = {
        "openingCents": (scenario.opening_cents, st.integers(1_000, 10**15)),
        "minimumCents": (scenario.minimum_cents, st.integers(-(10**15), 1_000)),
        "priceCents": (scenario.price_cents, st.integers(1_000_000_000, 10**15)),
    }
    return st.fixed_dictionaries(
        {
            "scenario": st.just(scenario.name),
            "strategies": some_of(at_every_level(scenario.name)),
            "load": st.fixed_dictionaries(
                {"requests": st.integers(1, 1_000_000)},
                optional={
                    "concurrency": st.integers(16, 1000),
                    "generators": st.integers(1, 16),
                    "accounts": st.integers(scenario.accounts, 10_000),
                    "amountCents": st.integers(1, 1_000_000_000),
                    "seed": st.integers(0, 2**53 - 1),
                    "arrival": st.sampled_from(sorted(CATALOG.arrivals)),
                }
                | {field: values for field, (value, values) in own.items() if value is not None},
            ),
        },
        optional={
            "isolation": some_of(list(CATALOG.isolations)),
            "replicas": st.lists(st.integers(1, 32), min_size=1, max_size=3, unique=True),
            "windowMilliseconds": st.lists(st.integers(0, 10_000), min_size=1, max_size=3, unique=True),
            "expect": st.sampled_from(["Claim", "Consistent", "Anomalous"]),
        },
    )


specs = st.sampled_from(sorted(CATALOG.scenarios)).flatmap(lambda name: specs_of(CATALOG.scenarios[name]))


@given(specs)
def test_what_is_allowed_is_read_back_from_yaml_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, spec: dict[str, Any]
) -> None:
    file = tmp_path_factory.mktemp("spec") / "race.yaml"
    file.write_text(yaml.safe_dump(document(**spec)))
    [read] = read_experiments([file])
    assert read == RaceExperiment.model_validate(document(**spec))
    assert RaceExperiment.model_validate(read.model_dump(mode="json", by_alias=True)) == read


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_experiment_of_the_repository_is_valid_and_opens_with_its_hypothesis(file: Path) -> None:
    first, *others = (read.metadata.name for read in read_experiments([file]))
    assert first == file.stem
    assert all(other.startswith(f"{file.stem}-") for other in others)
    assert file.read_text().startswith("# Hypothesis: ")


def test_the_example_is_valid_and_mentions_every_field_of_the_spec() -> None:
    text = resources.files("racelab_operator").joinpath("example.yaml").read_text()
    RaceExperiment.model_validate(yaml.safe_load(text))
    definitions = RaceExperiment.model_json_schema()["$defs"]
    for field in [*definitions["Spec"]["properties"], *definitions["Load"]["properties"]]:
        assert f"{field}:" in text


def test_a_file_without_a_load_gets_300_requests() -> None:
    assert race().spec.load.requests == 300
    assert race().spec.load.duration_seconds is None


def test_the_schema_names_every_strategy_and_every_bound() -> None:
    schema = RaceExperiment.model_json_schema()["$defs"]
    assert schema["Spec"]["properties"]["strategies"]["items"]["enum"] == sorted(CATALOG.strategies)
    requests = schema["Load"]["properties"]["requests"]["anyOf"][0]
    assert (requests["minimum"], requests["maximum"]) == (1, 1_000_000)


BOUNDS = {
    "requests": (1, 1_000_000),
    "durationSeconds": (1, 3600),
    "concurrency": (1, 1000),
    "accounts": (1, 10_000),
    "amountCents": (1, 1_000_000_000),
    "openingCents": (0, 10**15),
    "priceCents": (1, 10**15),
    "generators": (1, 16),
    "seed": (0, 2**53 - 1),
}


@pytest.mark.parametrize(("field", "low", "high"), [(field, *bounds) for field, bounds in BOUNDS.items()])
def test_every_number_has_its_bounds(field: str, low: int, high: int) -> None:
    base = {"concurrency": 16, "amountCents": 1} | ({} if field in {"requests", "durationSeconds"} else {"requests": 1})
    scenario = "redeem" if field == "priceCents" else "deposit"
    for allowed in (low, high):
        race(scenario=scenario, load=base | {field: allowed})
    for refused in (low - 1, high + 1, float(low), str(low), True, "x"):
        with pytest.raises(ValidationError):
            race(scenario=scenario, load=base | {field: refused})


SPELLINGS = {
    "5.0": 5,
    "5.": 5,
    "1e2": 100,
    "1.5e1": 15,
    "010": 8,
    "08": 8,
    "0o10": 8,
    "0x10": 16,
    "0b11": 3,
    "1_000": 1000,
    "+5": 5,
    "!!int '5'": 5,
    "0.5e1": 5,
    ".5e1": 5,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_number_is_read_as_kubectl_reads_it(spelling: str, tmp_path: Path) -> None:
    file = tmp_path / "number.yaml"
    file.write_text(GOOD + f"  load: {{requests: {spelling}}}\n")
    [read] = read_experiments([file])
    assert read.spec.load.requests == SPELLINGS[spelling]


@pytest.mark.parametrize("word", ["true", "True", "yes", "YES", "on", "y", "Y"])
def test_a_truth_is_read_as_kubectl_reads_it(word: str, tmp_path: Path) -> None:
    file = tmp_path / "truth.yaml"
    file.write_text(GOOD + f"  suspend: {word}\n")
    [read] = read_experiments([file])
    assert read.spec.suspend


def test_a_field_that_holds_nothing_is_left_out_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "nothing.yaml"
    file.write_text(GOOD + "  load:\n  expect: null\n  isolation: ~\n  windowMiliseconds:\n")
    [read] = read_experiments([file])
    assert read.spec == race(strategies=["row_lock"]).spec


def test_what_a_cluster_adds_to_a_file_does_not_disturb(tmp_path: Path) -> None:
    kept = "uid: 1-2, resourceVersion: '5', generation: 2, creationTimestamp: 2026-11-22T12:00:00Z, managedFields: []"
    told = (
        f"metadata: {{name: wrong, namespace: a-b, labels: {{a.b/c: D_e}}, annotations: {{A.b/c: any, d: ''}}, {kept}}}"
    )
    file = tmp_path / "read.yaml"
    file.write_text(GOOD.replace("metadata: {name: wrong}", told) + "status: {stage: load, steps: []}\n")
    [read] = read_experiments([file])
    assert (read.metadata.name, read.metadata.namespace) == ("wrong", "a-b")


def test_a_merged_mapping_gives_what_is_not_given_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "merged.yaml"
    base = "  load: {<<: [{seed: 1, accounts: 2}, {seed: 3, concurrency: 4}], requests: 5, accounts: 6}\n"
    file.write_text(GOOD + base)
    [read] = read_experiments([file])
    load = read.spec.load
    assert (load.seed, load.concurrency, load.requests, load.accounts) == (1, 4, 5, 6)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_told_in_one_line_that_names_the_field_the_value_and_the_limit(
    tmp_path: Path, case: str
) -> None:
    content, expected = WRONG[case]
    file = tmp_path / "wrong.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidFilesError) as caught:
        read_experiments([file])
    assert str(caught.value).splitlines() == [f"{file}{expected}"]


def test_all_that_is_wrong_in_all_files_is_told_at_once(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(GOOD + "  replicas: [0]\n  windowMilliseconds: [10001]\n")
    two.write_text("kind: Pod\n")
    with pytest.raises(InvalidFilesError) as caught:
        read_experiments([one, two, tmp_path / "three.yaml", tmp_path])
    found = [(Path(problem.file).name, problem.path) for problem in caught.value.problems]
    assert found == [
        ("one.yaml", "spec.replicas[0]"),
        ("one.yaml", "spec.windowMilliseconds[0]"),
        ("two.yaml", "apiVersion"),
        ("two.yaml", "kind"),
        ("two.yaml", "metadata"),
        ("two.yaml", "spec"),
        ("three.yaml", ""),
        (tmp_path.name, ""),
    ]
    assert str(caught.value).splitlines()[-2:] == [
        f"{tmp_path / 'three.yaml'}: no such file: check the name",
        f"{tmp_path}: is a directory: name the files in it",
    ]


def test_one_file_may_hold_several_experiments_and_names_are_given_once(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(GOOD + "---\n" + GOOD.replace("wrong", "other"))
    assert [read.metadata.name for read in read_experiments([file])] == ["wrong", "other"]
    with pytest.raises(InvalidFilesError, match=r"metadata.name: given wrong, which .*two.yaml:3 is named already"):
        read_experiments([file, file])


def test_every_field_is_documented() -> None:
    text = (EXPERIMENTS.parents[1] / "docs" / "experiment-file.md").read_text()
    definitions = RaceExperiment.model_json_schema()["$defs"]
    for field in [*definitions["Spec"]["properties"], *definitions["Load"]["properties"]]:
        assert f"| `{field}` |" in text, field


def test_every_scenario_is_documented_with_the_share_of_the_load_that_it_opens_with() -> None:
    text = (EXPERIMENTS.parents[1] / "docs" / "experiment-file.md").read_text()
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    for scenario in CATALOG.scenarios.values():
        percent = scenario.opening_percent_of_load
        assert percent is None or f"{percent} %" in rows[scenario.name], scenario.name
        assert f"`{scenario.name}`" in rows["scenario"]
