"""On which fresh database does a benchmark run?"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Books:
    """Where the books are kept; `schema` means something on PostgreSQL only."""

    kind: str
    url: str
    schema: str


@contextmanager
def fresh_sqlite() -> Iterator[Books]:
    """A file that goes away with the block."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Books("SQLite", f"sqlite:///{Path(folder) / 'reconciler.db'}", "reconciler")


@contextmanager
def fresh_postgresql() -> Iterator[Books]:
    """A schema that goes away with the block, on the server in TEST_DATABASE_URL or on one of our own."""
    # SQLite's benchmarks run without the tests' extras.
    from reconciler.db.session import open_database  # noqa: PLC0415
    from tests.databases import own_server, with_driver  # noqa: PLC0415

    schema = f"bench_{uuid4().hex[:12]}"
    with ExitStack() as stack:
        given = os.environ.get("TEST_DATABASE_URL")
        url = with_driver(given) if given else stack.enter_context(own_server()).url
        yield Books("PostgreSQL", url, schema)
        db = open_database(url, schema=schema)
        with db.migrating() as tx:
            tx.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        db.close()
