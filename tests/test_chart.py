"""The chart's files, as far as they can be judged without Helm."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import yaml

from racelab_operator.platforms.local.edge import configuration
from racelab_operator.platforms.local.programs import caddy
from racelab_operator.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

CHART = Path(__file__).parents[1] / "helm" / "racelab"
TEMPLATES = "\n".join(file.read_text(encoding="utf-8") for file in sorted((CHART / "templates").rglob("*.*")))
USED_FILES = ("Caddyfile", "drain.sh", "alerts.yaml")
FILES = "\n".join((CHART / "files" / name).read_text(encoding="utf-8") for name in USED_FILES)


def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return found


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return found


def described(properties: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every value that the schema describes, by its path."""
    for name, one in properties.items():
        path = f"{above}{name}"
        yield path, one
        yield from described(one.get("properties", {}), f"{path}.")


def leaves(tree: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def reverse_proxies(node: Any) -> list[dict[str, Any]]:
    """Collect the reverse proxies of a Caddy configuration."""
    if isinstance(node, list):
        return [found for one in node for found in reverse_proxies(one)]
    if not isinstance(node, dict):
        return []
    own = [node] if node.get("handler") == "reverse_proxy" else []
    return own + [found for one in node.values() for found in reverse_proxies(one)]


def edge_configuration(tmp_path: Path) -> dict[str, Any]:
    """Have Caddy read the chart's Caddyfile, with names where the chart puts them in."""
    text = (CHART / "files" / "Caddyfile").read_text(encoding="utf-8")
    text = text.replace('{{ include "racelab.fullname" . }}', "lab").replace("{{ .Values.edge.waitSeconds }}", "10")
    assert "{{" not in text
    file = tmp_path / "Caddyfile"
    file.write_text(text, encoding="utf-8")
    command = [str(caddy()), "adapt", "--config", str(file), "--adapter", "caddyfile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_chart_installs_the_version_of_its_source() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_default_values_are_what_the_schema_allows() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    jsonschema.validate(values(), schema())


def test_every_object_of_the_schema_refuses_names_that_it_does_not_know() -> None:
    free = {
        path
        for path, one in described(schema()["properties"])
        if one.get("type") == "object" and one.get("additionalProperties") is not False
    }
    # `global` comes from a chart above; the others are handed on to Kubernetes or PostgreSQL as they are.
    assert free == {"global", "affinity", "postgresql.settings"}


def test_every_value_that_the_schema_describes_has_a_default_and_no_other_value_has_one() -> None:
    allowed = {path for path, _ in described(schema()["properties"])} - {"global"}
    defaults = set(leaves(values()))
    missing = {path for path in allowed if not any((one + ".").startswith(path + ".") for one in defaults)}
    unknown = {one for one in defaults if not any((one + ".").startswith(path + ".") for path in allowed)}
    assert (missing, unknown) == (set(), set())


def test_no_value_is_without_use() -> None:
    used = set(re.findall(r"[vV]alues\.([A-Za-z.]+[A-Za-z])", TEMPLATES + FILES))
    dead = {one for one in leaves(values()) if not any((one + ".").startswith(path + ".") for path in used)}
    assert not dead


def test_the_edge_of_a_cluster_treats_requests_as_the_local_one_does(tmp_path: Path) -> None:
    [local, *_] = reverse_proxies(configuration([Path("a.sock")], 3, 4, Path("admin.sock"), tmp_path))
    proxies = reverse_proxies(edge_configuration(tmp_path))

    assert len(proxies) == 2  # one for each port
    for proxy in proxies:
        assert proxy["load_balancing"]["selection_policy"] == local["load_balancing"]["selection_policy"]
        assert proxy["load_balancing"]["retry_match"] == local["load_balancing"]["retry_match"]
        assert proxy["request_buffers"] == local["request_buffers"]
        assert proxy["transport"]["keep_alive"] == local["transport"]["keep_alive"]


def test_the_edge_speaks_http_2_and_nobody_can_change_its_configuration(tmp_path: Path) -> None:
    edge = edge_configuration(tmp_path)
    protocols = {server["listen"][0]: server.get("protocols") for server in edge["apps"]["http"]["servers"].values()}
    assert protocols == {":8443": ["h1", "h2"], ":8080": ["h1", "h2c"], ":8081": None}
    assert edge["admin"]["disabled"] is True
