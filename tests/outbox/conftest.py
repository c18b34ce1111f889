"""What do the tests of the outbox begin with?"""

import pytest

from reconciler.db.session import Database
from tests.outbox.post import Post


@pytest.fixture
def post(database: Database) -> Post:
    """Give a database without users, and push services that take everything."""
    return Post(database)
