"""On which fresh database does a benchmark run?"""

import os
import tempfile
from collections.abc import Callable, Iterator
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
def many_sqlite() -> Iterator[Callable[[], Books]]:
    """A function that gives another file each time; all go away with the block."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(fresh_sqlite())


@contextmanager
def many_postgresql() -> Iterator[Callable[[], Books]]:
    """A function that gives another schema each time, all on one server; all go away with the block."""
    # SQLite's benchmarks run without the tests' extras.
    from reconciler.db.session import open_database  # noqa: PLC0415
    from tests.databases import own_server, with_driver  # noqa: PLC0415

    schemas: list[str] = []
    with ExitStack() as stack:
        given = os.environ.get("TEST_DATABASE_URL")
        url = with_driver(given) if given else stack.enter_context(own_server()).url

        def fresh() -> Books:
            schemas.append(f"bench_{uuid4().hex[:12]}")
            return Books("PostgreSQL", url, schemas[-1])

        yield fresh
        db = open_database(url)
        for schema in schemas:
            with db.migrating() as tx:
                tx.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        db.close()
