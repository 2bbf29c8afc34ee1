"""k8s/kind.yaml: what the chart, the Makefile and the documentation say about the cluster of `make kind`."""

import re

import yaml

from cluster.cluster import ROOT

CLUSTER = yaml.safe_load((ROOT / "k8s" / "kind.yaml").read_text(encoding="utf-8"))
DOCUMENTATION = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")


def test_it_is_a_cluster_of_one_node_with_the_name_that_the_makefile_uses() -> None:
    assert (CLUSTER["apiVersion"], CLUSTER["kind"]) == ("kind.x-k8s.io/v1alpha4", "Cluster")
    assert [node["role"] for node in CLUSTER["nodes"]] == ["control-plane"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"kind .*--name (\S+)", makefile)) == {CLUSTER["name"]}


def test_its_port_is_a_node_port_and_the_documentation_tells_of_both_ends() -> None:
    [mapping] = CLUSTER["nodes"][0]["extraPortMappings"]
    assert 30000 <= mapping["containerPort"] <= 32767
    assert mapping["listenAddress"] == "127.0.0.1"
    assert f"`NodePort` and {mapping['containerPort']} are https://localhost:{mapping['hostPort']}" in DOCUMENTATION
