"""What do tests of adopted tables begin with? An app that is there already, and its database, which is ours too."""

from collections.abc import Iterator

import pytest

from reconciler.db.session import Database
from tests.adoption.apps import APPS, DJANGO, App


@pytest.fixture(params=APPS, ids=lambda app: app.name)
def app(request: pytest.FixtureRequest, database: Database) -> Iterator[App]:
    """Give each app in turn, with its table and rows in the database."""
    made: App = request.param
    made.drop(database)
    made.create(database)
    yield made
    made.drop(database)


@pytest.fixture
def django(database: Database) -> Iterator[App]:
    """Give Django's app."""
    DJANGO.drop(database)
    DJANGO.create(database)
    yield DJANGO
    DJANGO.drop(database)
