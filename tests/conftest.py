"""Where do the databases of the tests come from?

Every test that asks for `database` runs twice, on SQLite and on PostgreSQL, and finds migrated, empty tables.
PostgreSQL is the server in TEST_DATABASE_URL, or else one of our own that lives as long as the test run.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import structlog

from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, open_database
from tests.databases import NoPostgres, PostgresServer, empty, own_server, with_driver


@pytest.fixture(autouse=True)
def _plain_log() -> Iterator[None]:
    """Log plainly: what structlog does when nobody has configured it draws every traceback, for seconds."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()


@contextmanager
def _server_or_skip() -> Iterator[PostgresServer]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(own_server())
        except NoPostgres as missing:
            pytest.skip(str(missing))
        yield server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Give the URL of the PostgreSQL server that all tests share."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield with_driver(given)
        return
    with _server_or_skip() as server:
        # No test here pulls the plug, so nothing is gained by waiting for the disk.
        with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.url


@pytest.fixture(scope="session")
def _separate_server() -> Iterator[PostgresServer]:
    with _server_or_skip() as server:
        yield server


@pytest.fixture
def postgres_server(_separate_server: PostgresServer) -> Iterator[PostgresServer]:
    """Give a server of its own to a test that stops it; the other tests don't notice."""
    _separate_server.start()
    yield _separate_server
    _separate_server.start()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "reconciler.db"
    database = open_database(f"sqlite:///{path}", create=True)
    upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def _postgres_template(postgres_url: str) -> Iterator[Database]:
    """Migrate one schema for the whole run; nobody else on the server has its name."""
    database = open_database(postgres_url, schema=f"test_{uuid4().hex[:12]}")
    upgrade(database)
    yield database
    with database.migrating() as tx:
        tx.exec_driver_sql(f"DROP SCHEMA {database.schema} CASCADE")
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Name the database that the test runs on."""
    return str(request.param)


@pytest.fixture
def schema(dialect: str, request: pytest.FixtureRequest) -> str:
    """Name the PostgreSQL schema of the test; SQLite takes no notice of it."""
    if dialect == "sqlite":
        return "reconciler"
    return str(request.getfixturevalue("_postgres_template").schema)


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a migrated, empty database, for tests that start real programs."""
    if dialect == "sqlite":
        shutil.copy(request.getfixturevalue("_sqlite_template"), tmp_path / "reconciler.db")
        return f"sqlite:///{tmp_path / 'reconciler.db'}"
    empty(request.getfixturevalue("_postgres_template"))
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(database_url: str, schema: str) -> Iterator[Database]:
    """Give a migrated, empty database."""
    database = open_database(database_url, schema=schema)
    yield database
    database.close()
