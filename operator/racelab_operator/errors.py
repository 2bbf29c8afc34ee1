"""What can go wrong, as the user is told it.

- `RacelabError`, exit code 3: the lab could not do its work.
- `WrongUseError`, exit code 2: a wrong flag, a wrong name, a wrong file; nothing was started.
- `InvalidFilesError`, a WrongUseError: wrong experiment files, one line per problem.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class RacelabError(Exception):
    """A failure with a message for the user; `exit_code` is what the program ends with."""

    exit_code: ClassVar[int] = 3


class WrongUseError(RacelabError):
    """The user asked for something that cannot be done: nothing was started."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One thing that is wrong in a file; `line` counts from 1, 0 where the file could not be read at all."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """Give `FILE:LINE: PATH: MESSAGE`, without the parts that are not known."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.path, self.message) if part)


class InvalidFilesError(WrongUseError):
    """Experiment files that cannot be run; `problems` holds every one found, in the order of the files."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
