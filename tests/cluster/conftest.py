"""What tests on a cluster start from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cluster.cluster import fresh_namespace, install_crd
from cluster.lab import Lab, fresh_lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture
def namespace() -> Iterator[str]:
    """A fresh namespace that enforces restricted Pod Security, removed afterwards."""
    with fresh_namespace() as name:
        yield name


@pytest.fixture(scope="session")
def crd() -> None:
    """The CRD of this version on the cluster; it stays."""
    install_crd()


@pytest.fixture(scope="session")
def image() -> str:
    """The image that the cluster can start: NAME:TAG."""
    name = os.environ.get("RACELAB_IMAGE", "")
    assert ":" in name, "RACELAB_IMAGE: given nothing, allowed NAME:TAG of an image that the cluster can start"
    return name


@pytest.fixture(scope="session")
def standing_lab(crd: None, image: str) -> Iterator[Lab]:
    """The lab of all tests that leave it as it was."""
    with fresh_lab() as lab:
        yield lab


@pytest.fixture
def lab(standing_lab: Lab) -> Iterator[Lab]:
    """The lab, whole and at rest, with no experiment; what a failed test has left is removed."""
    for component in ("operator", "auditor", "postgresql", "bank", "edge"):
        standing_lab.ready(component)
    yield standing_lab
    standing_lab.kubectl("delete", "raceexperiments", "--all", "--timeout=60s")


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell a figure: all are printed at the end."""
    return request.config.stash.setdefault(MEASURED, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    if figures := config.stash.get(MEASURED, []):
        terminalreporter.section("measured")
        for figure in figures:
            terminalreporter.write_line(figure)
