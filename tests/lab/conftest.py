from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.programs import FAKES, PLAIN_USER
from racelab_operator.platforms.local.lab import LocalLab
from racelab_operator.platforms.local.postgresql import PostgreSQL

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def lab_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another PostgreSQL than the lab's own, as DATABASE_URL would name it."""
    with PostgreSQL(tmp_path_factory.mktemp("other") / "data", max_connections=60) as server:
        yield server.url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def plain_home() -> Iterator[Path]:
    """A folder that a plain user owns and can reach."""
    folder = Path(tempfile.mkdtemp(prefix="plain-"))
    if os.geteuid() == 0:
        os.chown(folder, PLAIN_USER, PLAIN_USER)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def lab(home: Path, lab_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalLab]:
    """A lab of fakes on the other database, not yet started; requests to /hold wait for files in `tmp_path`."""
    monkeypatch.setenv("HOLD_DIRECTORY", str(tmp_path))
    with LocalLab(home, database_url=lab_database, programs=FAKES, purpose="a test") as lab:
        yield lab


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB: too small for PostgreSQL. Needs root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "racelab-test", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)
