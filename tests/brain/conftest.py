from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from brain.fake_auditor import FakeAuditor
from racelab_operator import keeping
from racelab_operator.platforms.local.addresses import Addresses

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[FakeAuditor]:
    with FakeAuditor() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def running(server: FakeAuditor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeAuditor:
    """A lab that seems to be up, with the server as its auditor; the working directory is empty."""
    addresses = Addresses("http://h:1", "https://h:2", server.url, Path("root.crt"), "token", "", ())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RACELAB_HOME", raising=False)
    monkeypatch.setattr(keeping, "current_lab", lambda _home: SimpleNamespace(addresses=addresses))
    return server
