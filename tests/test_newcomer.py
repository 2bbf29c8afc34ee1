"""A newcomer adds a strategy: one new file and `make generate`, and all know it. Done to a copy of the house."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COPIED = ("app", "operator", "loadgen", "tests", "docs", "k8s", "README.md", "pyproject.toml")

STRATEGY = '''\
"""A newcomer's row lock.

    -- T1  locks
    -- T2  BLOCKS
"""

from racelab_bank.claims import Aborts, Safe, claims
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import strategy

CLAIMS = claims(read_committed=Safe, repeatable_read=Aborts, serializable=Aborts)


@strategy(CLAIMS, transaction="atomic")
def newcomer(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting."""
    with bank.transaction():
        seen = bank.{read}(posting)
        posting.check(seen)
        bank.wait_window()
        return bank.write_absolute(posting, seen)
'''

EXPERIMENT = """\
apiVersion: racelab.dev/v1alpha1
kind: RaceExperiment
metadata: {name: newcomer}
spec: {scenario: transfer, strategies: [newcomer]}
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Copy the sources, and add one file."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    write(tmp_path, "read_locked")
    return tmp_path


def write(house: Path, read: str) -> None:
    file = house / "app/racelab_bank/strategies/newcomer.py"
    file.write_text(STRATEGY.format(read=read), encoding="utf-8")


def python(house: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the copy's modules, not those that are installed."""
    path = os.pathsep.join(str(house / name) for name in ("app", "operator", "loadgen", "tests"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RACELAB", "DJANGO", "DATABASE"))}
    environment = {**kept, "PYTHONPATH": path}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.timeout(300)
def test_a_new_strategy_is_one_file_and_everything_picks_it_up(house: Path) -> None:
    generated = python(house, "-m", "derived")
    assert generated.returncode == 0, generated.stderr
    for place in ("operator/racelab_operator/catalog.json", "docs/claims.md", "docs/strategies.md", "README.md"):
        assert "newcomer" in (house / place).read_text(encoding="utf-8"), place

    file = house / "newcomer.yaml"
    file.write_text(EXPERIMENT, encoding="utf-8")
    validated = python(house, "-m", "racelab_operator", "validate", str(file))
    assert validated.stdout == "newcomer: 1 step\n", validated.stderr
    file.write_text(EXPERIMENT.replace("[newcomer]", "[newcomers]"), encoding="utf-8")
    assert "did you mean newcomer?" in python(house, "-m", "racelab_operator", "validate", str(file)).stderr
    python(house, "-m", "racelab_operator", "init", "mine.yaml")
    assert "newcomer" in (house / "mine.yaml").read_text(encoding="utf-8")

    claims = ("-m", "pytest", "tests/bank/test_claims.py", "-q", "-k", "deposit-newcomer-read")
    performed = python(house, *claims)
    assert performed.returncode == 0, performed.stdout
    assert " passed" in performed.stdout

    write(house, "read")
    refuted = python(house, *claims)
    assert refuted.returncode == 1, refuted.stdout
    assert "lost_update" in refuted.stdout
