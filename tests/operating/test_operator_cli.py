"""The command line `racelab-operator`: wrong use is told before anything is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from operating.samples import SETTINGS
from racelab_operator.operator_cli import main
from racelab_operator.version import __version__

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, no service account, no token."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    for name in ("KUBERNETES_SERVICE_HOST", "RACELAB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    authority, file = tmp_path / "ca.crt", tmp_path / "operator.yaml"
    authority.write_text("")
    file.write_text(yaml.safe_dump(SETTINGS.model_dump(by_alias=True) | {"caFile": str(authority)}))
    return file


@pytest.mark.parametrize("command", [[], ["run"], ["release"]])
def test_every_help_says_what_it_does(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert main([*command, "--help"]) == 0
    assert "experiment" in capsys.readouterr().out.lower()


def test_the_version_is_that_of_the_wheel(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"racelab-operator {__version__}\n"


def test_a_namespace_must_be_given_outside_of_a_pod(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release"]) == 2
    assert "--namespace" in capsys.readouterr().err


def test_a_missing_token_is_told(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--namespace", "lab", "--settings", str(settings)]) == 2
    assert "RACELAB_TOKEN: given nothing, allowed the auditor's token" in capsys.readouterr().err


def test_settings_that_are_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RACELAB_TOKEN", "secret")
    assert main(["run", "--namespace", "lab", "--settings", str(tmp_path / "none.yaml")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err


def test_a_certificate_authority_that_is_not_there_is_told(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RACELAB_TOKEN", "secret")
    settings.with_name("ca.crt").unlink()
    assert main(["run", "--namespace", "lab", "--settings", str(settings)]) == 2
    assert "which is no file: mount the edge's certificate authority there" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "release"])
def test_without_a_cluster_it_says_so(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("RACELAB_TOKEN", "secret")
    flags = ["--settings", str(settings)] if command == "run" else []
    assert main([command, "--namespace", "lab", *flags]) == 3
    assert "no cluster is known here" in capsys.readouterr().err
