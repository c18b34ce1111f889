"""What does SQLite need so that a transaction means what it says?

The driver's own transactions begin at the first write, after the read on which that write rests: of 200
increments by four threads 50 remained, without one error. So the driver is told to keep out
(`isolation_level=None`), and every transaction is opened here. https://www.sqlite.org/lang_transaction.html
"""

import sqlite3
from functools import partial
from pathlib import Path

from sqlalchemy import URL, QueuePool, create_engine

from reconciler.db.backend import Backend, Mode
from reconciler.db.errors import StorageUnavailable


def open_sqlite(url: URL, *, busy_timeout_s: float, pool_size: int, create: bool) -> Backend:
    """Return the database in the file that `url` names; `create` allows that it does not exist yet."""
    if url.database in (None, "", ":memory:") or url.query:
        raise ValueError("a SQLite database is a file: sqlite:///reconciler.db, without options")
    path = Path(url.database).resolve()
    if not create and not path.is_file():
        # Without this, a typo in the setting would start an empty database that looks healthy.
        raise StorageUnavailable(f"there is no database file {path}; `reconciler init` makes it")
    engine = create_engine(
        "sqlite://",
        creator=partial(_connect, path, busy_timeout_s, may_create=create),
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=busy_timeout_s,
        hide_parameters=True,
    )
    return Backend(
        engine=engine,
        schema=None,
        writers=1,  # SQLite's own queue sleeps and is unfair, so only one thread at a time stands in it.
        opening=_opening,
        in_transaction=_in_transaction,
    )


def _connect(path: Path, busy_timeout_s: float, *, may_create: bool) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={'rwc' if may_create else 'rw'}",
            uri=True,
            timeout=busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,  # The pool lends a connection to one thread at a time.
        )
    except sqlite3.OperationalError as error:
        raise StorageUnavailable(f"{path}: {error}") from None
    try:
        _make_durable(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_durable(connection: sqlite3.Connection) -> None:
    """Let readers work beside the writer, and let a commit return only when it is on the disk."""
    (journal,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if journal != "wal":
        raise StorageUnavailable("the database's file system does not allow SQLite's WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _opening(mode: Mode, wait_s: float) -> tuple[str, ...]:
    """Say everything each time: no pragma of an earlier transaction can then leak into this one."""
    busy_timeout = f"PRAGMA busy_timeout={int(wait_s * 1000)}"
    if mode is Mode.READ:
        return (busy_timeout, "PRAGMA query_only=ON", "BEGIN")
    # A migration rebuilds tables. Dropping the old one with foreign keys on would delete its children,
    # and inside a transaction this pragma does nothing. https://www.sqlite.org/lang_altertable.html
    foreign_keys = f"PRAGMA foreign_keys={'OFF' if mode is Mode.MIGRATE else 'ON'}"
    return (busy_timeout, "PRAGMA query_only=OFF", foreign_keys, "BEGIN IMMEDIATE")


def _in_transaction(connection: sqlite3.Connection) -> bool:
    # After a full disk and the like SQLite rolls back by itself, and what follows would commit one by one.
    return connection.in_transaction
