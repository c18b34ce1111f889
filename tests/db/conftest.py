"""What do the tests of the database package share?"""

from collections.abc import Iterator

import pytest

from reconciler.db.session import Database
from tests.db.scratch import accounts, open_account


@pytest.fixture
def bank(database: Database) -> Iterator[Database]:
    """Give a database with the scratch table and one account in it, the till."""
    with database.writing() as tx:
        accounts.create(tx)
        open_account(tx, "till")
    yield database
    with database.writing() as tx:
        accounts.drop(tx)
