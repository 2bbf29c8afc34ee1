"""What can drift from the code is compared with it."""

from pathlib import Path

import pytest

import derived


def test_every_derived_file_is_what_the_code_says() -> None:
    assert derived.main(["--check"]) == 0


def test_a_file_that_differs_is_named(tmp_path: Path) -> None:
    same, other = tmp_path / "same", tmp_path / "other"
    assert derived.differing({same: "a", other: "b"}, {same: "a", other: "a"}.__getitem__) == [other]


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    begin, end = derived.MARKS
    assert derived.between_marks(f"before{begin}old{end}after", "new") == f"before{begin}\nnew\n{end}after"
    with pytest.raises(ValueError, match="claims table"):
        derived.between_marks("no marks", "new")
