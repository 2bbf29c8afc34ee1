from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from brain.fake_auditor import FakeAuditor

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
