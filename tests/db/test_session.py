"""Do transactions keep their promises, on both databases?"""

# ruff: noqa: PT012 - a transaction that is to fail is a block of several statements

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from reconciler.db.session import (
    Database,
    StatementFailed,
    StorageUnavailable,
    Tx,
    may_read_all,
    open_database,
    savepoint,
    transaction_open,
)
from tests.db.scratch import (
    accounts,
    add_many,
    add_one,
    balance,
    balance_of_till,
    in_another_thread,
    lock_of_a_stranger,
    names,
    open_account,
    printed,
)


def test_it_loses_no_update_of_four_threads(bank: Database) -> None:
    """Four threads that each read, add one and write 50 times arrive at exactly 200."""
    with ThreadPoolExecutor(4) as pool:
        for writer in [pool.submit(add_many, bank, 50) for _ in range(4)]:
            writer.result(timeout=60)

    assert balance(bank) == 200


def add_many_in_a_program(url: str, schema: str, count: int) -> None:
    """Be the whole of a program: open, write, close."""
    database = open_database(url, schema=schema, busy_timeout_s=30)
    add_many(database, count)
    database.close()


def test_it_loses_no_update_of_two_programs(bank: Database, database_url: str, schema: str) -> None:
    """Two processes that know nothing of each other arrive at exactly 100."""
    spawn = multiprocessing.get_context("spawn")
    work = (database_url, schema, 50)
    programs = [spawn.Process(target=add_many_in_a_program, args=work) for _ in range(2)]

    for program in programs:
        program.start()
    for program in programs:
        program.join(timeout=60)

    assert [program.exitcode for program in programs] == [0, 0]
    assert balance(bank) == 100


def seconds_until_refused(database: Database) -> float:
    """Return how long a writer waited before it gave up."""
    began = time.monotonic()
    with pytest.raises(StorageUnavailable), database.writing():
        pass
    return time.monotonic() - began


@pytest.fixture
def impatient(bank: Database, database_url: str, schema: str) -> Database:
    """Give the same database with a timeout that a test can wait for."""
    return open_database(database_url, schema=schema, busy_timeout_s=0.3)


def test_it_waits_for_a_writer_no_longer_than_the_timeout(impatient: Database) -> None:
    """A writer of the same program is waited for as long as the setting says, and no longer."""
    with impatient.writing():
        waited_s = in_another_thread(lambda: seconds_until_refused(impatient))

    add_many(impatient, 1)
    impatient.close()
    assert 0.25 < waited_s < 3


def test_it_waits_for_a_stranger_no_longer_than_the_timeout(
    impatient: Database, database_url: str, schema: str
) -> None:
    """A foreign program that sits on the lock costs a writer the timeout, and a reader nothing."""
    lock = lock_of_a_stranger(database_url, schema)

    waited_s = seconds_until_refused(impatient)
    seen = balance(impatient)
    lock.close()

    add_many(impatient, 1)
    impatient.close()
    assert 0.25 < waited_s < 3
    assert seen == 0


def test_it_keeps_connections_free_for_readers(
    bank: Database, database_url: str, schema: str
) -> None:
    """With more waiting writers than connections, a reader still gets in at once."""
    database = open_database(database_url, schema=schema, pool_size=3)

    with ThreadPoolExecutor(6) as pool:
        with database.writing():
            writers = [pool.submit(add_many, database, 1) for _ in range(6)]
            began = time.monotonic()
            seen = in_another_thread(lambda: balance(database))
            waited_s = time.monotonic() - began
        for writer in writers:
            writer.result(timeout=30)

    database.close()
    assert seen == 0
    assert waited_s < 2
    assert balance(bank) == 6


def test_it_refuses_a_transaction_inside_another(bank: Database) -> None:
    """A thread that would wait for itself, or read past its own writes, hears of it at once."""
    with bank.writing(), pytest.raises(RuntimeError, match="open already"), bank.reading():
        pass


def test_it_reads_while_another_writes(bank: Database) -> None:
    """A reader does not wait for a writer, and sees nothing that is not committed."""
    with bank.writing() as tx:
        add_one(tx)
        seen = in_another_thread(lambda: balance(bank))

    assert seen == 0


def test_it_reads_one_moment(bank: Database) -> None:
    """What is committed after a reader's first look stays invisible to it."""
    with bank.reading() as tx:
        first = balance_of_till(tx)
        in_another_thread(lambda: add_many(bank, 1))
        second = balance_of_till(tx)

    assert (first, second, balance(bank)) == (0, 0, 1)


def test_it_cannot_write_while_reading(bank: Database) -> None:
    """A write in a reading transaction fails, and the same connection may write afterwards."""
    with pytest.raises(StorageUnavailable), bank.reading() as tx:
        add_one(tx)

    add_many(bank, 1)
    assert balance(bank) == 1


def test_it_rolls_back_and_lets_a_foreign_exception_pass(bank: Database) -> None:
    """An exception of the caller leaves unchanged, and takes the writes with it."""
    mine = KeyError("mine")

    with pytest.raises(KeyError) as caught, bank.writing() as tx:
        open_account(tx, "gone")
        raise mine

    assert caught.value is mine
    assert names(bank) == ["till"]


def test_it_knows_whether_this_thread_is_in_a_transaction(bank: Database) -> None:
    """The question that forbids network calls inside a transaction is answered for each thread."""
    with bank.writing():
        assert transaction_open()
        assert not in_another_thread(transaction_open)

    with pytest.raises(KeyError), bank.reading():
        raise KeyError
    assert not transaction_open()


def test_it_never_reports_a_lost_transaction_as_committed(bank: Database) -> None:
    """An error that somebody swallowed after the database had rolled back is an error all the same."""
    twin = insert(accounts).values(name="till")
    if bank.dialect_name == "sqlite":
        twin = twin.prefix_with("OR ROLLBACK")

    with pytest.raises(StorageUnavailable, match="lost"), bank.writing() as tx:
        open_account(tx, "gone")
        with pytest.raises(IntegrityError):
            tx.execute(twin)

    assert names(bank) == ["till"]


def test_it_tells_where_it_failed_but_nothing_about_rows(bank: Database) -> None:
    """A refusal names the statement's place in the program, and repeats no value."""
    with pytest.raises(StatementFailed) as caught, bank.writing() as tx:
        open_account(tx, "canary")
        open_account(tx, "canary")

    assert "in open_account" in printed(caught.value)
    assert "canary" not in printed(caught.value).replace('open_account(tx, "canary")', "")


def test_it_keeps_the_neighbours_of_a_refused_statement(bank: Database) -> None:
    """What came before and after the failed savepoint is committed; its own block is not."""
    with bank.writing() as tx:
        open_account(tx, "before")
        with pytest.raises(StatementFailed), savepoint(tx):
            open_account(tx, "undone")
            open_account(tx, "till")
        with savepoint(tx):
            open_account(tx, "after")

    assert names(bank) == ["till", "before", "after"]


def test_it_undoes_a_savepoint_for_a_foreign_exception(bank: Database) -> None:
    """A bug in one item undoes that item alone."""
    with bank.writing() as tx:
        with pytest.raises(KeyError), savepoint(tx):
            open_account(tx, "undone")
            raise KeyError
        open_account(tx, "after")

    assert names(bank) == ["till", "after"]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_it_writes_nothing_more_when_the_savepoint_itself_is_gone(bank: Database) -> None:
    """SQLite can drop a whole transaction under a savepoint; no later row may then stay alone."""
    twin = insert(accounts).prefix_with("OR ROLLBACK").values(name="till")

    with pytest.raises(StorageUnavailable), bank.writing() as tx:
        with pytest.raises(StorageUnavailable), savepoint(tx):
            tx.execute(twin)
        open_account(tx, "alone")

    assert names(bank) == ["till"]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_it_looks_up_what_a_batch_asks_for(bank: Database) -> None:
    """A plan that is made while a table is nearly empty, and kept, must not read all of it when it has grown."""
    table = f"{bank.schema}.scratch_accounts"
    asked = f"EXPLAIN SELECT balance FROM {table} WHERE name = ANY (ARRAY['till', 'b'])"  # noqa: S608
    with bank.writing() as tx:
        tx.exec_driver_sql(f"ANALYZE {table}")

    def reads_all(tx: Tx) -> bool:
        return "Seq Scan" in " ".join(tx.exec_driver_sql(asked).scalars())

    with bank.writing() as tx:
        written = [reads_all(tx)]
        with may_read_all(tx):
            written.append(reads_all(tx))
        written.append(reads_all(tx))
    with bank.reading() as tx:
        with may_read_all(tx):
            read = [reads_all(tx)]
        read.append(reads_all(tx))

    assert (written, read) == ([False, True, False], [True, True])
