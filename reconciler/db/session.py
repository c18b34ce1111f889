"""How does a transaction begin, and who may write?

There is one writer at a time, in all programs together: histories are serial by construction, and a read
inside `writing()` stays true until the commit. `reading()` sees one moment and never takes the write lock.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from sqlalchemy import Connection, NestedTransaction, exc, make_url

from reconciler.db.backend import Backend, Mode
from reconciler.db.errors import (
    StatementFailed,
    StorageUnavailable,
    translated,
    translating,
    unavailable,
)
from reconciler.db.postgresql import BY_INDEX, open_postgresql
from reconciler.db.sqlite import open_sqlite
from reconciler.db.turnstile import Turnstile

__all__ = [
    "Database",
    "StatementFailed",
    "StorageUnavailable",
    "Tx",
    "may_read_all",
    "open_database",
    "savepoint",
    "transaction_open",
    "wait_no_more",
]

Tx: TypeAlias = Connection

_IMPATIENT_MS = 50


def open_database(
    url: str,
    *,
    schema: str = "reconciler",
    busy_timeout_s: float = 4.0,
    pool_size: int = 8,
    create: bool = False,
) -> "Database":
    """Return the database at `url`: `sqlite:///path` or `postgresql+psycopg://...`.

    A SQLite file must exist unless `create` is true, else `StorageUnavailable`. A URL that can't be
    used is a ValueError, which never repeats it, since it may hold a password.
    """
    try:
        target = make_url(url)
    except exc.ArgumentError:
        raise ValueError("the database URL cannot be read") from None
    match target.drivername:
        case "sqlite":
            backend = open_sqlite(
                target, busy_timeout_s=busy_timeout_s, pool_size=pool_size, create=create
            )
        case "postgresql+psycopg":
            backend = open_postgresql(
                target, schema=schema, busy_timeout_s=busy_timeout_s, pool_size=pool_size
            )
        case _:
            raise ValueError("the database URL begins with sqlite: or postgresql+psycopg:")
    return Database(backend, busy_timeout_s=busy_timeout_s)


class Database:
    """A database that several threads share; a thread has at most one transaction open."""

    def __init__(self, backend: Backend, *, busy_timeout_s: float) -> None:
        self.engine = backend.engine
        self.dialect_name = backend.engine.dialect.name
        self.schema = backend.schema
        self._backend = backend
        self._busy_timeout_s = busy_timeout_s
        self._turnstile = Turnstile(backend.writers)

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        """Open a transaction that holds the write lock, and commit it at the end of the block.

        Waits `busy_timeout_s` for the lock. Raises StorageUnavailable or StatementFailed; any other
        exception of the block rolls back and passes through.
        """
        with self._transaction(Mode.WRITE) as tx:
            yield tx

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """Open a transaction that sees one moment, waits for no writer and can't write."""
        with self._transaction(Mode.READ) as tx:
            yield tx

    @contextmanager
    def migrating(self) -> Iterator[Tx]:
        """Open a writing transaction for changes of the schema: no foreign keys, no statement timeout."""
        with self._transaction(Mode.MIGRATE) as tx:
            yield tx

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, mode: Mode) -> Iterator[Tx]:
        deadline = time.monotonic() + self._busy_timeout_s
        with _one_in_this_thread(), translating(), self._turn(mode):
            tx = self._open(mode, deadline)
            try:
                yield tx
                self._commit(tx)
            except BaseException as error:
                _drop_if_lost(tx, error)
                raise
            finally:
                # What follows a commit can't undo it, and what follows an error must not hide it.
                with suppress(exc.SQLAlchemyError):
                    tx.close()

    @contextmanager
    def _turn(self, mode: Mode) -> Iterator[None]:
        if mode is Mode.READ:
            yield
            return
        with self._turnstile.turn(self._busy_timeout_s) as came:
            if not came:
                raise StorageUnavailable("the database is locked by writers of this program")
            yield

    def _open(self, mode: Mode, deadline: float) -> Tx:
        try:
            return self._begin(mode, deadline)
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise unavailable(error) from None
        # The server was restarted since the pooled connection was last used. Nothing has been done in it
        # yet, and SQLAlchemy has now condemned all that are as old, so that a second try gets a new one.
        try:
            return self._begin(mode, deadline)
        except exc.DBAPIError as error:
            raise unavailable(error) from None

    def _begin(self, mode: Mode, deadline: float) -> Tx:
        tx = self.engine.connect()
        try:
            tx.begin()
            wait_s = max(0.0, deadline - time.monotonic())
            for statement in self._backend.opening(mode, wait_s):
                tx.exec_driver_sql(statement)
        except BaseException:
            with suppress(exc.SQLAlchemyError):
                tx.close()
            raise
        return tx

    def _commit(self, tx: Tx) -> None:
        """Commit, unless the transaction was lost inside the block and somebody swallowed the error."""
        transaction = tx.get_transaction()
        if transaction is None or not self._backend.in_transaction(tx.connection.driver_connection):
            raise StorageUnavailable("the transaction was lost before its commit")
        transaction.commit()


@contextmanager
def savepoint(tx: Tx) -> Iterator[None]:
    """Let the block fail alone: what it did is undone, what the transaction did before it stays.

    Raises StatementFailed if a statement was refused. Raises StorageUnavailable if the transaction is lost;
    `tx` can't be used any more then. Any other exception undoes the block and passes through.
    """
    with translating():
        nested = tx.begin_nested()
        try:
            yield
            nested.commit()
        except BaseException as error:
            if not _drop_if_lost(tx, error):
                _undo(nested, tx)
            raise


def wait_no_more(tx: Tx) -> None:
    """Let no later statement of this transaction wait for a row or table that somebody else holds."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SET LOCAL lock_timeout = {_IMPATIENT_MS}")


@contextmanager
def may_read_all(tx: Tx) -> Iterator[None]:
    """Let PostgreSQL read whole tables in the block, which it else does not while it writes: an app's may lack an index.

    After an error in the block it stays so, unless a savepoint is undone: only plans hang on it.
    """
    is_free = tx.dialect.name != "postgresql" or _says(tx, "SHOW enable_seqscan") == "on"
    if is_free:
        yield
        return
    tx.exec_driver_sql("SET LOCAL enable_seqscan = on")
    yield
    tx.exec_driver_sql(BY_INDEX)


def _says(tx: Tx, question: str) -> str:
    return str(tx.exec_driver_sql(question).scalar())


def transaction_open() -> bool:
    """Tell whether this thread is inside a transaction. Whoever calls out to the network must not be."""
    return getattr(_here, "transaction_open", False)


_here = threading.local()


@contextmanager
def _one_in_this_thread() -> Iterator[None]:
    if transaction_open():
        # A writer inside a writer would wait for itself, and a reader inside one would not see its writes.
        raise RuntimeError("this thread has a transaction open already")
    _here.transaction_open = True
    try:
        yield
    finally:
        _here.transaction_open = False


def _drop_if_lost(tx: Tx, error: BaseException) -> bool:
    """Close the connection if `error` lost the transaction, so that nothing more is written through it."""
    lost = isinstance(translated(error), StorageUnavailable)
    if lost and not tx.closed:
        tx.invalidate()
    return lost


def _undo(nested: NestedTransaction, tx: Tx) -> None:
    try:
        nested.rollback()
    except exc.SQLAlchemyError:
        tx.invalidate()
        raise StorageUnavailable("the transaction was lost together with its savepoint") from None
