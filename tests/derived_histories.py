"""docs/histories.md shows files that are tested: what stands between its marks is what is in them."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs/histories.md"

_BEGIN: Final = re.compile(r"<!-- file: (\S+) -->")
_END: Final = "<!-- end of file -->"
_OUTPUT: Final = re.compile(r"(<!-- output: (.+?) -->)\n.*?(<!-- end of output -->)", re.DOTALL)
_LANGUAGES: Final = {".py": "python", ".jsonl": "json"}


def histories_page() -> str:
    """Return docs/histories.md with its files as they are now, and with what is said of them."""
    text = with_files(PAGE.read_text(encoding="utf-8"), lambda name: (ROOT / name).read_text(encoding="utf-8"))
    return _OUTPUT.sub(lambda found: f"{found[1]}\n```\n{_said(found[2])}```\n{found[3]}", text)


def _said(arguments: str) -> str:
    """Return what the verifier prints."""
    command = [sys.executable, "-m", "racelab_bank", *arguments.split()]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


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
