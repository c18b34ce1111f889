"""A table for tests of transactions, which should not depend on what our own tables look like."""

import sqlite3
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, insert, select, update

from reconciler.db.postgresql import lock_key
from reconciler.db.session import Database, Tx
from reconciler.db.types import BigInt, UtcDateTime

T = TypeVar("T")

accounts = Table(
    "scratch_accounts",
    MetaData(),
    Column("id", BigInt, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("balance", BigInteger, nullable=False, default=0),
    Column("at", UtcDateTime),
)


def open_account(tx: Tx, name: str) -> None:
    """Insert one row."""
    tx.execute(insert(accounts).values(name=name))


def balance_of_till(tx: Tx) -> int:
    """Return the balance of the one account that every test finds."""
    return int(tx.scalar(select(accounts.c.balance).where(accounts.c.name == "till")) or 0)


def add_one(tx: Tx) -> None:
    """Read, then write what follows from the read: the pattern that loses updates."""
    after = balance_of_till(tx) + 1
    tx.execute(update(accounts).where(accounts.c.name == "till").values(balance=after))


def add_many(database: Database, count: int) -> None:
    """Add one `count` times, each in a transaction of its own."""
    for _ in range(count):
        with database.writing() as tx:
            add_one(tx)


def balance(database: Database) -> int:
    """Return the balance of the till as a new transaction sees it."""
    with database.reading() as tx:
        return balance_of_till(tx)


def names(database: Database) -> list[str]:
    """Return the names of all accounts as a new transaction sees them."""
    with database.reading() as tx:
        return list(tx.scalars(select(accounts.c.name).order_by(accounts.c.id)))


def in_another_thread(call: Callable[[], T]) -> T:
    """Return, or raise, what `call` does in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(timeout=30)


def lock_of_a_stranger(url: str, schema: str) -> sqlite3.Connection | psycopg.Connection:
    """Take the write lock as a program would that is not ours; closing gives it back."""
    if url.startswith("sqlite"):
        file = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        file.execute("BEGIN IMMEDIATE")
        return file
    server = stranger(url)
    server.execute("SELECT pg_advisory_lock(%s)", [lock_key(schema)])
    return server


def stranger(url: str) -> psycopg.Connection:
    """Connect to PostgreSQL as a program would that is not ours."""
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def printed(error: BaseException) -> str:
    """Return what a log would show of an error, its traceback and its causes."""
    return "".join(traceback.format_exception(error))
