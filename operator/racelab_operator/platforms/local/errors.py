"""What the local lab tells its user when it cannot go on."""

from __future__ import annotations

WRONG_USE = 2
FAILED = 3


class LabError(Exception):
    """A message for the user: what was found, what is allowed, what to do.

    `exit_code` is 2 when the user asked for something that cannot be had (a port in use, a lab already running), and
    3 when something broke.
    """

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
