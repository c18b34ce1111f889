"""Is every error of the two databases taken for what it is?"""

# ruff: noqa: PT012 - a transaction that is to fail is a block of several statements

import threading

import pytest
from sqlalchemy import insert, select

from reconciler.db.session import (
    Database,
    StatementFailed,
    StorageUnavailable,
    open_database,
    savepoint,
)
from tests.db.scratch import accounts, names, open_account, printed, stranger

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param({"name": "till"}, "name", id="not-unique"),
        pytest.param({"name": None}, "name", id="null"),
        pytest.param({"name": "a", "balance": 2**63}, "fit|Range", id="number-too-large"),
        pytest.param({"name": "\ud800"}, "value", id="half-a-character"),
    ],
)
def test_it_blames_a_row_alone(bank: Database, row: dict[str, object], words: str) -> None:
    """A row that the database or its driver refuses leaves its transaction usable."""
    with bank.writing() as tx:
        with pytest.raises(StatementFailed, match=words), savepoint(tx):
            tx.execute(insert(accounts).values(row))
        open_account(tx, "neighbour")

    assert names(bank) == ["till", "neighbour"]


@on_postgresql
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT CAST('canary' AS bigint)", r"InvalidTextRepresentation \(22P02\)"),
        ("SELECT 1 / 0", r"DivisionByZero \(22012\)"),
        ("SELECT nothing", r"UndefinedColumn \(42703\)"),
        ("SELECT FROM nowhere", r"UndefinedTable \(42P01\)"),
        ("DO $$ BEGIN RAISE 'canary'; END $$", r"RaiseException \(P0001\)"),
        ("SELECT CAST('2026-02-30' AS date)", r"DatetimeFieldOverflow \(22008\)"),
        (f"SELECT CAST('{{{'{' * 20000}' AS jsonb)", r"\(22P02\)"),
    ],
)
def test_it_blames_a_statement_alone(bank: Database, statement: str, words: str) -> None:
    """What PostgreSQL refuses by its SQLSTATE is named by class and code, and never by value."""
    with bank.writing() as tx:
        with pytest.raises(StatementFailed, match=words) as caught, savepoint(tx):
            tx.exec_driver_sql(statement)
        open_account(tx, "neighbour")

    assert "canary" not in printed(caught.value)
    assert names(bank) == ["till", "neighbour"]


@on_postgresql
def test_it_blames_a_nul_byte_on_its_row(bank: Database) -> None:
    """PostgreSQL's text refuses NUL, and its driver says so without a code."""
    with bank.writing() as tx, pytest.raises(StatementFailed), savepoint(tx):
        open_account(tx, "a\0b")


@on_sqlite
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT nothing", "SQLITE_ERROR"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("INSERT INTO scratch_accounts (id, name) VALUES ('canary', 'b')", "SQLITE_MISMATCH"),
        ("SELECT zeroblob(2000000000)", "SQLITE_TOOBIG"),
    ],
)
def test_it_blames_a_statement_of_sqlite_alone(bank: Database, statement: str, words: str) -> None:
    """What SQLite refuses by its result code leaves the transaction usable."""
    with bank.writing() as tx:
        with pytest.raises(StatementFailed, match=words) as caught, savepoint(tx):
            tx.exec_driver_sql(statement)
        open_account(tx, "neighbour")

    assert "canary" not in str(caught.value)
    assert names(bank) == ["till", "neighbour"]


@on_postgresql
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SET LOCAL statement_timeout = 50; SELECT pg_sleep(5)", "57014"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "administrator command"),
        ("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", "53100"),
        ("DO $$ BEGIN RAISE SQLSTATE '40003'; END $$", "40003"),
        ("DO $$ BEGIN RAISE SQLSTATE 'XX001'; END $$", "XX001"),
        ("SET TRANSACTION READ ONLY; DELETE FROM pg_class", "25006"),
    ],
)
def test_it_gives_up_the_transaction(bank: Database, statement: str, words: str) -> None:
    """What concerns the server and not the statement loses the transaction; the next one works."""
    with pytest.raises(StorageUnavailable, match=words), bank.writing() as tx:
        open_account(tx, "gone")
        with savepoint(tx):
            tx.exec_driver_sql(statement)

    with bank.writing() as tx:
        open_account(tx, "next")
    assert names(bank) == ["till", "next"]


@on_postgresql
def test_it_blames_a_row_that_the_app_has_locked(bank: Database, database_url: str) -> None:
    """A row lock of the app costs one item its turn after two seconds, and not the whole batch."""
    app = stranger(database_url)
    app.execute("BEGIN")
    app.execute(f"SELECT FROM {bank.schema}.scratch_accounts WHERE name = 'till' FOR UPDATE")

    with bank.writing() as tx:
        patience = tx.exec_driver_sql("SHOW lock_timeout").scalar()
        tx.exec_driver_sql("SET LOCAL lock_timeout = 50")
        with pytest.raises(StatementFailed, match="55P03"), savepoint(tx):
            tx.execute(select(accounts).with_for_update())
        open_account(tx, "neighbour")
    app.close()

    assert patience == "2s"
    assert names(bank) == ["till", "neighbour"]


def test_it_blames_our_own_mistake_on_us(bank: Database) -> None:
    """An error of the calling code keeps its own type, also when a column type of ours raises it."""
    with pytest.raises(AttributeError), bank.writing() as tx:
        tx.execute(insert(accounts).values(name="a", at="2026-03-01"))


def test_it_gives_up_when_every_connection_is_in_use(database_url: str, schema: str) -> None:
    """A pool that is used up is an answer within the timeout, and works again afterwards."""
    database = open_database(database_url, schema=schema, pool_size=1, busy_timeout_s=0.2)
    inside, leave = threading.Event(), threading.Event()

    def read_for_a_while() -> None:
        with database.reading():
            inside.set()
            leave.wait(10)

    reader = threading.Thread(target=read_for_a_while)
    reader.start()
    inside.wait(10)
    with pytest.raises(StorageUnavailable, match="in use"), database.reading():
        pass
    leave.set()
    reader.join()

    with database.reading():
        pass
    database.close()
