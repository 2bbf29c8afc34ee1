"""The CustomResourceDefinition: a structural schema that says what the models and the catalog say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from brain.samples import document
from racelab_operator.catalog import catalog
from racelab_operator.cli import cli
from racelab_operator.crd import GROUP, PLURAL, VERSION, crd, schema
from racelab_operator.crd_rules import MAY_CHANGE
from racelab_operator.race_status import RaceStatus
from racelab_operator.spec import RaceExperiment

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CRD_FILE = ROOT / "helm" / "racelab" / "files" / "crd.yaml"
EXPERIMENTS = sorted((ROOT / "k8s" / "experiments").glob("*.yaml"))
CATALOG = catalog()
WHOLE = schema()
SPEC = WHOLE["properties"]["spec"]["properties"]
LOAD = SPEC["load"]["properties"]

# What Kubernetes allows in a structural schema, and is used here.
ALLOWED = {
    "type", "format", "description", "default", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern",
    "minItems", "maxItems", "items", "properties", "required",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
}  # fmt: skip


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every node of a schema with its path."""
    yield path, node
    for name, field in node.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")


NODES = dict(nodes(WHOLE))


def test_racelab_crd_prints_what_the_chart_holds() -> None:
    said = CliRunner().invoke(cli, ["crd"], catch_exceptions=False)
    assert said.output == CRD_FILE.read_text(encoding="utf-8")
    assert yaml.safe_load(said.output) == crd()
    assert "{{" not in said.output, "the chart would take that for a template"


def test_racelab_crd_prints_json_as_well() -> None:
    said = CliRunner().invoke(cli, ["crd", "--output", "json"], catch_exceptions=False)
    assert json.loads(said.output) == crd()


def test_its_names_are_those_of_the_experiment_file() -> None:
    made = crd()
    assert made["metadata"]["name"] == f"{PLURAL}.{GROUP}"
    assert document()["apiVersion"] == f"{GROUP}/{VERSION}"
    assert made["spec"]["names"]["kind"] == document()["kind"]
    assert made["spec"]["names"]["shortNames"] == ["race", "races"]
    assert made["spec"]["names"]["categories"] == ["racelab"]
    assert made["spec"]["scope"] == "Namespaced"
    [version] = made["spec"]["versions"]
    assert version["subresources"] == {"status": {}}


@pytest.mark.parametrize("path", NODES)
def test_every_node_is_structural(path: str) -> None:
    node = NODES[path]
    assert set(node) <= ALLOWED
    assert node["type"] in {"object", "array", "string", "integer", "boolean"}
    assert ("items" in node) == (node["type"] == "array")
    assert (node.get("format") == "int64") == (node["type"] == "integer")
    assert ("properties" in node) == (node["type"] == "object")
    assert set(node.get("required", ())) <= set(node.get("properties", ()))
    if node["type"] == "array":
        assert node["x-kubernetes-list-type"] in {"atomic", "map"}


@pytest.mark.parametrize("path", [path for path in NODES if path.startswith(".spec")])
def test_every_field_of_the_spec_is_bounded_and_described(path: str) -> None:
    node = NODES[path]
    assert "description" in node or path.endswith("[]")
    if node["type"] == "integer":
        # The API server compares bounds as floating point numbers.
        assert -(2**53) < node["minimum"] < node["maximum"] < 2**53
    if node["type"] == "array":
        assert 1 <= node["minItems"] < node["maxItems"]
        assert node["x-kubernetes-list-type"] == "atomic", "the order of a list is the order of the steps"
    if node["type"] == "string":
        assert "enum" in node


def test_names_come_from_the_catalog() -> None:
    assert SPEC["scenario"]["enum"] == list(CATALOG.scenarios)
    assert SPEC["strategies"]["items"]["enum"] == list(CATALOG.strategies)
    assert SPEC["isolation"]["items"]["enum"] == list(CATALOG.isolations)
    assert LOAD["arrival"]["enum"] == list(CATALOG.arrivals)


def test_fields_and_bounds_are_those_of_the_model() -> None:
    told = RaceExperiment.model_json_schema()["$defs"]
    for name, fields in (("Spec", SPEC), ("Load", LOAD)):
        assert list(fields) == list(told[name]["properties"])
    assert (LOAD["requests"]["minimum"], LOAD["requests"]["maximum"]) == (1, 1_000_000)
    assert NODES[".metadata.name"]["maxLength"] == 63


def test_the_defaults_are_those_of_the_model() -> None:
    filled = {name: field["default"] for name, field in SPEC.items() if "default" in field}
    model = RaceExperiment.model_validate(document()).spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert model == {"scenario": "deposit", "strategies": ["atomic_only"]} | filled
    given = filled["load"]
    assert {name: field["default"] for name, field in LOAD.items() if "default" in field} | {"requests": 300} == given
    assert "default" not in LOAD["requests"], "a load with durationSeconds must not be given requests"


def test_the_status_has_no_defaults() -> None:
    assert [path for path, node in NODES.items() if path.startswith(".status") and "default" in node] == []


def test_every_field_of_the_status_is_in_the_schema() -> None:
    told = RaceStatus.model_json_schema(mode="serialization")
    assert list(WHOLE["properties"]["status"]["properties"]) == list(told["properties"])
    assert list(NODES[".status.progress"]["properties"]) == list(told["$defs"]["ProgressMemory"]["properties"])
    assert NODES[".status.conditions"]["x-kubernetes-list-map-keys"] == ["type"]


RULES = [(path, rule) for path, node in NODES.items() for rule in node.get("x-kubernetes-validations", ())]


def test_every_rule_says_what_is_wrong_and_names_a_field_that_there_is() -> None:
    assert RULES
    for path, rule in RULES:
        message = rule.get("message") or rule["messageExpression"]
        assert "given" in message
        assert any(word in message for word in ("allowed", "keep", "leave", "give exactly", "make another"))
        assert "\n" not in message
        assert f"{path}{rule.get('fieldPath', '')}" in NODES


def test_every_field_is_frozen_but_three() -> None:
    frozen = {f"{path}{rule.get('fieldPath', '')}" for path, rule in RULES if "oldSelf" in rule["rule"]}
    fixed = {f".spec.{name}" for name in SPEC if name not in {*MAY_CHANGE, "load"}}
    assert frozen == fixed | {f".spec.load.{name}" for name in LOAD} | {".spec.abort"}


@pytest.mark.parametrize("scenario", CATALOG.scenarios)
def test_a_rule_names_the_strategies_that_serve_each_scenario(scenario: str) -> None:
    [told] = [rule for _, rule in RULES if rule["rule"].startswith(f'self.scenario != "{scenario}" || self.strategies')]
    assert json.dumps(list(CATALOG.strategies_for(scenario))) in told["rule"]
    assert f"scenario {scenario}, allowed {', '.join(CATALOG.strategies_for(scenario))}" in told["messageExpression"]


def test_the_columns_show_fields_that_there_are() -> None:
    [version] = crd()["spec"]["versions"]
    columns = {column["name"]: column for column in version["additionalPrinterColumns"]}
    shown = [name for name, column in columns.items() if not column.get("priority")]
    assert shown == ["Scenario", "Step", "Verdict", "Drift", "Lost", "Age"]
    for name, column in columns.items():
        if name != "Age":
            assert NODES[column["jsonPath"]]["type"] == column["type"]


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_every_experiment_of_the_repository_fits_the_schema(file: Path) -> None:
    for experiment in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        jsonschema.validate(experiment, WHOLE, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("field", "value"),
    [("scenario", "deposits"), ("replicas", []), ("replicas", [33]), ("load", {"requests": 0}), ("suspend", "true")],
)
def test_the_schema_refuses_what_the_model_refuses(field: str, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document(**{field: value}), WHOLE, cls=jsonschema.Draft202012Validator)
