"""docs/histories.md shows files that are tested: what stands between its marks is what is in them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs/histories.md"

_BEGIN: Final = re.compile(r"<!-- file: (\S+) -->")
_END: Final = "<!-- end of file -->"
_LANGUAGES: Final = {".py": "python", ".jsonl": "json"}


def histories_page() -> str:
    """Return docs/histories.md with its files as they are now."""
    return with_files(PAGE.read_text(encoding="utf-8"), lambda name: (ROOT / name).read_text(encoding="utf-8"))


def with_files(text: str, read: Callable[[str], str]) -> str:
    """Return the text with each named file between its marks. Raises `ValueError` where a mark is missing."""
    head, *parts = _BEGIN.split(text)
    filled = [head]
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        _, end, tail = part.partition(_END)
        if not end:
            raise ValueError(f"docs/histories.md: given {name} without an end, {_END} goes behind it")
        language = _LANGUAGES[Path(name).suffix]
        filled.append(f"<!-- file: {name} -->\n```{language}\n{read(name)}```\n{_END}{tail}")
    whole = "".join(filled)
    if whole.count(_END) != len(parts) // 2:
        raise ValueError(f"docs/histories.md: given {_END} without a file, <!-- file: PATH --> goes before it")
    return whole
