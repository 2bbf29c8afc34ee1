"""The CustomResourceDefinition: made from the models of the file and of the status, so none of them can disagree.

Kubernetes wants a structural schema: no references, no choices, a type everywhere. What only one value may be absent
says with `null` in JSON Schema is an optional field here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from racelab_operator.crd_rules import (
    MAY_CHANGE,
    abort_rule,
    frozen_rule,
    frozen_rules,
    list_rule,
    load_rules,
    spec_rules,
)
from racelab_operator.race_status import RaceStatus
from racelab_operator.spec import RaceExperiment

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]

GROUP: Final = "racelab.dev"
VERSION: Final = "v1alpha1"
PLURAL: Final = "raceexperiments"

_KEPT: Final = ("type", "format", "description", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern")
_WIDE: Final = 1
_HEADER: Final = "# Made by `make generate` from racelab_operator/spec.py and race_status.py; do not edit.\n"


def crd() -> Schema:
    """Return the CustomResourceDefinition as a value."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "RaceExperiment",
                "listKind": "RaceExperimentList",
                "plural": PLURAL,
                "singular": "raceexperiment",
                "shortNames": ["race", "races"],
                "categories": ["racelab"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                    "schema": {"openAPIV3Schema": schema()},
                }
            ],
        },
    }


def crd_text() -> str:
    """Return the CustomResourceDefinition as YAML."""
    return _HEADER + yaml.safe_dump(crd(), sort_keys=False, allow_unicode=True, width=120)


def schema() -> Schema:
    """Return the structural schema of an experiment and its status."""
    whole = RaceExperiment.model_json_schema()
    definitions = whole["$defs"]
    spec = structural(definitions["Spec"], definitions)
    _add_rules(spec)
    status = RaceStatus.model_json_schema(mode="serialization")
    name = structural(definitions["Metadata"]["properties"]["name"], definitions)
    return {
        "description": "A race for money: what races, under which load, and what became of it.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": "RaceExperiment."},
            "metadata": {"type": "object", "properties": {"name": name}},
            "spec": spec,
            "status": _without_defaults(structural(status, status["$defs"])),
        },
    }


def structural(given: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Turn a JSON Schema of pydantic's into a structural one, with all references resolved."""
    source = _resolved(given, definitions)
    made: Schema = {key: source[key] for key in _KEPT if key in source}
    if "description" in made:
        made["description"] = " ".join(made["description"].split())
    if source["type"] == "integer":
        made["format"] = "int64"
    if source["type"] == "array":
        made |= {key: source[key] for key in ("minItems", "maxItems") if key in source}
        made["items"] = structural(source["items"], definitions)
        made |= {key: value for key, value in source.items() if key.startswith("x-kubernetes-")}
        made.setdefault("x-kubernetes-list-type", "atomic")
    if source["type"] == "object":
        fields = source["properties"].items()
        made["properties"] = {name: structural(field, definitions) for name, field in fields}
        if "required" in source:
            made["required"] = source["required"]
    if (default := _without_nulls(source.get("default"))) is not None:
        made["default"] = default
    return made


def _resolved(given: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Follow a reference, and take the choice that is not null."""
    merged = dict(given)
    for choice in merged.pop("anyOf", ()):
        if choice.get("type") != "null":
            merged = choice | merged
    if (reference := merged.pop("$ref", None)) is not None:
        merged = _resolved(definitions[reference.rpartition("/")[2]], definitions) | merged
    return merged


def _without_nulls(default: object) -> object:
    if isinstance(default, dict):
        return {key: value for key, value in default.items() if value is not None}
    return default


def _without_defaults(given: Schema) -> Schema:
    """Drop every default: whoever writes a status says all of it."""
    made = {key: value for key, value in given.items() if key != "default"}
    if "items" in made:
        made["items"] = _without_defaults(made["items"])
    if "properties" in made:
        made["properties"] = {name: _without_defaults(field) for name, field in made["properties"].items()}
    return made


def _add_rules(spec: Schema) -> None:
    """Put each rule where it is told best; what is frozen is so field by field, so that the field is named."""
    fields = spec["properties"]
    rules = {name: [frozen_rule()] for name in fields if name not in (*MAY_CHANGE, "load")}
    rules["load"] = [*load_rules(), *frozen_rules(fields["load"]["properties"])]
    rules["abort"] = [abort_rule()]
    for name, field in fields.items():
        if field["type"] == "array":
            rules[name].append(list_rule())
    for name, some in rules.items():
        fields[name]["x-kubernetes-validations"] = some
    spec["x-kubernetes-validations"] = list(spec_rules())


def _columns() -> list[Schema]:
    def column(name: str, kind: str, path: str, told: str, priority: int = 0) -> Schema:
        made: Schema = {"name": name, "type": kind, "jsonPath": path, "description": told}
        return made | ({"priority": priority} if priority else {})

    return [
        column("Scenario", "string", ".spec.scenario", "What a request does."),
        column("Step", "string", ".status.step.position", "The step that is performed, among all."),
        column("Verdict", "string", ".status.verdict", "The verdict of the worst step, once all have ended."),
        column("Drift", "string", ".status.drift", "Balances minus what the ledger says they must be."),
        column("Lost", "integer", ".status.lost", "How many entries were overwritten."),
        column("Stage", "string", ".status.stage", "Where it stands, or what it waits for.", _WIDE),
        column("Running", "string", ".status.step.name", "The step that is performed, or was the last one.", _WIDE),
        column("Message", "string", ".status.message", "What is being done, or how it ended.", _WIDE),
        column("Age", "date", ".metadata.creationTimestamp", "Since when there is such an experiment."),
    ]
