"""What can end a run early: LoadError, with TargetError, GateError and AuditorError under it; exit code 3."""

from __future__ import annotations


class LoadError(Exception):
    """The run cannot go on; the message says what was tried, what happened and what to do."""


class TargetError(LoadError):
    """The target cannot be reached, is not trusted, or speaks no HTTP/2.

    `lasting`: trying again would not help.
    """

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class AuditorError(LoadError):
    """The auditor cannot be reached, or refuses."""


class GateError(LoadError):
    """The gate failed, or opened without this generator."""
