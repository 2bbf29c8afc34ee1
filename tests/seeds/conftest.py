"""The playground for the tests of the older systems' endpoints."""

import pytest

from seeds.playing import Playground, open_playground


@pytest.fixture
def playground(transactional_db: None) -> Playground:
    """The standing run, and its account, item and code."""
    return open_playground()
