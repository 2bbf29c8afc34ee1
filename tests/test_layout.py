"""The house: what would break it silently if it moved."""

import ast
import operator
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("app/racelab_bank", "operator/racelab_operator", "loadgen/racelab_loadgen")


def test_our_operator_folder_does_not_shadow_the_standard_library() -> None:
    assert Path(operator.__file__).is_relative_to(sysconfig.get_path("stdlib"))
    assert not list((ROOT / "operator").glob("*.py"))
    assert not (ROOT / "tests" / "operator").exists()


def test_no_module_is_longer_than_one_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 350
    }
    assert not long


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py" or path.read_text(encoding="utf-8").strip()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not [name for name in silent if "/migrations/" not in name]
