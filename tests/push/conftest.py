"""What do tests of push leave behind? Nothing."""

from collections.abc import Iterator

import pytest

from tests.push.listening import MADE


@pytest.fixture(autouse=True)
def senders_closed() -> Iterator[None]:
    """Close the connections that a test's senders kept."""
    yield
    while MADE:
        MADE.pop().close()
