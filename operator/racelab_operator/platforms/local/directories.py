"""Folders whose paths are short enough for Unix sockets."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

MAXIMUM_SOCKET_PATH_BYTES: Final = 107
"""What fits into a socket address on Linux, without the final zero."""
PREFIX: Final = "racelab-"
_FALLBACK: Final = "/tmp"  # noqa: S108  the folders made in it are private and have random names


def short_parent() -> Path:
    """Return the folder for temporary files, or /tmp where TMPDIR names one with a long path."""
    chosen = tempfile.gettempdir()
    return Path(chosen if len(os.fsencode(chosen)) <= MAXIMUM_SOCKET_PATH_BYTES // 2 else _FALLBACK)
