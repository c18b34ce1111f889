"""Does the program live on when the database goes away, fills up or is cut off?"""

# ruff: noqa: PT012 - a transaction that is to fail is a block of several statements

from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from reconciler.db.session import (
    Database,
    StorageUnavailable,
    open_database,
    savepoint,
    transaction_open,
)
from tests.conftest import PostgresServer
from tests.db.scratch import accounts, names, open_account, stranger

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


@on_sqlite
def test_it_survives_a_full_disk(bank: Database) -> None:
    """A full disk loses the transaction and nothing else; with room again, the next one works."""
    with pytest.raises(StorageUnavailable, match="full"), bank.writing() as tx:
        open_account(tx, "gone")
        fill_up(tx)

    with bank.writing() as tx:
        open_account(tx, "next")
    assert names(bank) == ["till", "next"]
    assert check(bank) == "ok"


@on_sqlite
def test_it_writes_nothing_more_after_a_full_disk(bank: Database) -> None:
    """SQLite rolls everything back by itself; whoever writes on regardless leaves no row behind."""
    with pytest.raises(StorageUnavailable), bank.writing() as tx:
        open_account(tx, "gone")
        with pytest.raises(StorageUnavailable), savepoint(tx):
            fill_up(tx)
        with suppress(SQLAlchemyError):
            open_account(tx, "alone")

    assert names(bank) == ["till"]


def fill_up(tx: Connection) -> None:
    """Write more than fits."""
    pages = tx.exec_driver_sql("PRAGMA page_count").scalar()
    tx.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    open_account(tx, "x" * 100_000)


@on_sqlite
def test_it_survives_a_connection_that_is_closed_under_it(bank: Database) -> None:
    """A dead connection is no fault of the statement that meets it."""
    with pytest.raises(StorageUnavailable), bank.writing() as tx:
        driver = tx.connection.dbapi_connection
        assert driver is not None
        driver.close()
        open_account(tx, "gone")

    assert names(bank) == ["till"]


def check(database: Database) -> str:
    """Let SQLite check its file."""
    with database.reading() as tx:
        return str(tx.exec_driver_sql("PRAGMA integrity_check").scalar())


@on_postgresql
@pytest.mark.parametrize("last_step", ["statement", "commit"])
def test_it_survives_a_connection_that_is_cut(
    bank: Database, database_url: str, last_step: str
) -> None:
    """A connection that an administrator cuts loses its transaction; the next one gets a new one."""
    with pytest.raises(StorageUnavailable), bank.writing() as tx:
        open_account(tx, "gone")
        cut(tx, database_url)
        if last_step == "statement":
            open_account(tx, "gone too")

    assert not transaction_open()
    with bank.writing() as tx:
        open_account(tx, "next")
    assert names(bank) == ["till", "next"]


def cut(tx: Connection, url: str) -> None:
    """End the server's side of a connection, from another one."""
    pid = tx.scalar(select(func.pg_backend_pid()))
    with stranger(url) as administrator:
        administrator.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@on_postgresql
def test_it_lets_a_foreign_exception_pass_over_a_cut_connection(
    bank: Database, database_url: str
) -> None:
    """The trouble of closing a dead connection does not hide why the block ended."""
    with pytest.raises(KeyError), bank.writing() as tx:
        cut(tx, database_url)
        raise KeyError


@pytest.fixture
def lonely(postgres_server: PostgresServer) -> Iterator[Database]:
    """Give a database on the server that may be stopped, with the scratch table in it."""
    database = open_database(postgres_server.url, schema="public", busy_timeout_s=1)
    with database.writing() as tx:
        accounts.create(tx)
    yield database
    postgres_server.start()
    with database.writing() as tx:
        accounts.drop(tx)
    database.close()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_it_survives_a_restart_of_the_server(
    lonely: Database, postgres_server: PostgresServer, mode: str
) -> None:
    """While the server is away every call says so; after its return the first call works again."""
    use_every_connection(lonely)

    postgres_server.stop(mode)
    for opened in (lonely.writing, lonely.reading):
        with pytest.raises(StorageUnavailable), opened():
            pass
    postgres_server.start()

    with lonely.writing() as tx:
        open_account(tx, "next")
    assert names(lonely) == ["next"]


def test_it_survives_a_restart_that_it_did_not_notice(
    lonely: Database, postgres_server: PostgresServer
) -> None:
    """Connections that died in the pool cost a caller nothing."""
    use_every_connection(lonely)

    postgres_server.stop()
    postgres_server.start()

    for name in ("first", "second", "third"):
        with lonely.writing() as tx:
            open_account(tx, name)
    assert names(lonely) == ["first", "second", "third"]


def test_it_survives_a_server_that_stops_in_the_middle(
    lonely: Database, postgres_server: PostgresServer
) -> None:
    """A commit without an answer is an error, and what was committed before is there afterwards."""
    with lonely.writing() as tx:
        open_account(tx, "kept")

    with pytest.raises(StorageUnavailable), lonely.writing() as tx:
        open_account(tx, "gone")
        postgres_server.stop("immediate")
    postgres_server.start()

    assert names(lonely) == ["kept"]


def use_every_connection(database: Database) -> None:
    """Fill the pool with several connections, so that more than one of them goes stale."""
    connections = [database.engine.connect() for _ in range(3)]
    for connection in connections:
        connection.close()


def test_it_refuses_a_server_that_forgets_commits(postgres_server: PostgresServer) -> None:
    """With synchronous_commit off a 2xx would be a lie, so there is no connection at all."""
    database = open_database(f"{postgres_server.url}&options=-csynchronous_commit%3Doff")

    with pytest.raises(StorageUnavailable, match="synchronous_commit"), database.writing():
        pass


def test_it_tells_why_it_cannot_connect() -> None:
    """The operator reads the reason, and never the password."""
    database = open_database("postgresql+psycopg://someone:canary@127.0.0.1:1/nowhere")

    with pytest.raises(StorageUnavailable, match="refused") as caught, database.reading():
        pass

    assert "canary" not in str(caught.value)
