"""The runs of a lab on this machine, for those who watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from racelab_operator.auditor import Auditor
from racelab_operator.errors import RacelabError
from racelab_operator.platforms.local.state import current_lab

if TYPE_CHECKING:
    from pathlib import Path

    from racelab_operator.observed import Audit, Run
    from racelab_operator.platforms.local.addresses import Addresses

#: An audit of a million entries takes some seconds.
TIMEOUT_SECONDS: Final = 15


class EndedError(RacelabError):
    """What was watched is not there any more: there is nothing to wait for."""


class StartingError(RacelabError):
    """The lab has not come up yet."""


class LabRuns:
    """The auditor of the lab in a home; found again when it is somewhere else than before."""

    def __init__(self, home: Path) -> None:
        self.where = f"lab in {home}"
        self._home = home
        self._seen = False
        self._addresses: Addresses | None = None
        self._auditor: Auditor | None = None

    def runs(self) -> list[Run]:
        """List the newest runs, the newest first.

        Raises:
            EndedError: no lab is there any more.
            StartingError: it is not up yet.
            RacelabError: there is none, or its auditor does not answer.

        """
        return self._found().runs()

    def run(self, key: str) -> Run | None:
        """Get a run."""
        return self._found().run(key)

    def audit(self, key: str) -> Audit | None:
        """Get the audit of a run."""
        return self._found().audit(key)

    def verdicts(self) -> dict[str, str]:
        """Nobody but `racelab run` judges here."""
        return {}

    def notes(self) -> list[str]:
        """Tell what else goes on: nothing that the runs do not show."""
        return []

    def close(self) -> None:
        """Close the connections."""
        if self._auditor is not None:
            self._auditor.close()

    def _found(self) -> Auditor:
        record = current_lab(self._home.absolute())
        if record is None and self._seen:
            raise EndedError(f"the lab in {self._home} has ended")
        if record is None:
            raise RacelabError(f"no lab is running in {self._home}: start one with `racelab up`, or `racelab run`")
        self._seen = True
        if record.addresses is None:
            raise StartingError(f"the lab in {self._home} is still starting")
        if self._auditor is None or record.addresses != self._addresses:
            self.close()
            self._addresses = record.addresses
            self._auditor = Auditor(self._addresses.auditor_url, self._addresses.token, timeout_seconds=TIMEOUT_SECONDS)
        return self._auditor

    def lost(self, error: RacelabError) -> str:
        """Say what is the matter, after an error that may pass."""
        return f"asking on: {error}"
