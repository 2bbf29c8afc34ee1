"""What the API server answers when it does not do what it is asked."""

from __future__ import annotations

from typing import ClassVar

from racelab_operator.errors import RacelabError


class ClusterError(RacelabError):
    """The API server did not do it."""


class ClusterUnreachableError(ClusterError):
    """It did not answer, or not now; it may later."""


class ClusterRefusedError(ClusterError):
    """It said no: asking again would not help."""


class InvalidObjectError(ClusterRefusedError):
    """A field of what was given is not what the API server allows there."""

    exit_code: ClassVar[int] = 2


class ChangedError(ClusterError):
    """The object was changed since it was read, or is there already: look again."""
