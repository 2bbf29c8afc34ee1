"""docs/histories.md shows the files that are tested, and they can be copied as they are."""

import ast
import json
import re
import sys
from pathlib import Path

import msgspec
import pytest

from derived_histories import PAGE, ROOT, with_files
from histories.shop import RECORDING, Exported
from racelab_bank.audit.jsonl.lines import KINDS


def test_a_file_is_put_between_its_marks() -> None:
    text = "a <!-- file: one.py --> old <!-- end of file --> b <!-- file: two.jsonl --><!-- end of file --> c"
    filled = with_files(text, {"one.py": "1\n", "two.jsonl": "{}\n"}.__getitem__)
    assert filled == (
        "a <!-- file: one.py -->\n```python\n1\n```\n<!-- end of file --> b "
        "<!-- file: two.jsonl -->\n```json\n{}\n```\n<!-- end of file --> c"
    )
    assert with_files(filled, {"one.py": "1\n", "two.jsonl": "{}\n"}.__getitem__) == filled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<!-- file: one.py --> and no end", "one.py without an end"),
        ("<!-- file: one.py --> <!-- file: two.py --> <!-- end of file -->", "one.py without an end"),
        ("<!-- file: one.py --> <!-- end of file --> <!-- end of file -->", "without a file"),
        ("<!-- end of file -->", "without a file"),
    ],
)
def test_a_mark_that_is_missing_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        with_files(text, lambda _: "")


def test_the_page_shows_every_file_of_the_recipe() -> None:
    shown = re.findall(r"<!-- file: (\S+) -->", PAGE.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(str(file.relative_to(ROOT)) for file in RECORDING.iterdir() if file.is_file())


@pytest.mark.parametrize("file", sorted(RECORDING.glob("*.py")), ids=lambda file: file.name)
def test_the_recipe_needs_nothing_but_django(file: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported - sys.stdlib_module_names <= {"django", "shop"}


def fields_told() -> dict[str, dict[str, bool]]:
    """Return the fields of each kind of line, and whether the page says that they are required."""
    told: dict[str, dict[str, bool]] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n### `")[1:]:
        kind, _, rest = section.partition("`")
        rows = re.findall(r"^\| (`.+?) \| (yes|no) \|", rest, re.MULTILINE)
        told[kind] = {name: required == "yes" for names, required in rows for name in re.findall(r"`(\w+)`", names)}
    return told


def test_the_page_tells_every_field_and_whether_it_is_required() -> None:
    assert fields_told() == {
        str(kind.__struct_config__.tag): {field.encode_name: field.required for field in msgspec.structs.fields(kind)}
        for kind in KINDS
    }


def test_racelab_says_of_the_example_what_the_page_says() -> None:
    file = RECORDING / "lost-update.jsonl"
    exported = Exported(file, [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()])
    assert exported.stale() == ["second"]
    code, verdict = exported.verified()
    assert (code, verdict["lost"], verdict["drift_cents"]) == (1, 1, -1000)
