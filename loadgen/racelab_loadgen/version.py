"""The version of the installed wheel."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("racelab")
