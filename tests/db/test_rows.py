"""Do many rows go in as they are, however they travel?"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Text, cast, select
from sqlalchemy import insert as plain_insert

from reconciler.db.errors import StatementFailed
from reconciler.db.rows import insert, insert_new, upsert_by
from reconciler.db.session import Database
from tests.db.scratch import accounts, names
from tests.db.test_members import NAMES

AT = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)


def kept(database: Database) -> dict[str, Any]:
    """What stands in the table: the balance and the moment of each name."""
    with database.reading() as tx:
        return {row.name: (row.balance, row.at) for row in tx.execute(select(accounts))}


def test_it_inserts_and_updates(bank: Database) -> None:
    """Rows are inserted, and those that are there are updated, one or many at a time."""
    rows = [{"name": each, "balance": place} for place, each in enumerate(NAMES)]

    with bank.writing() as tx:
        for part in (rows, [{"name": "till", "balance": 7}], rows[1:]):
            upsert_by(tx, accounts, part, key=("name",), update=("balance",))

    assert kept(bank) == {"till": (7, None)} | {each: (n, None) for n, each in enumerate(NAMES)}


@pytest.mark.parametrize(
    "row",
    [
        {"balance": 2**63 - 1, "at": None},
        {"balance": -(2**63), "at": AT},
        {"balance": 2**53 + 1, "at": AT.astimezone(timezone(timedelta(hours=-9, minutes=-30)))},
    ],
)
def test_it_keeps_every_value_to_the_last_digit(bank: Database, row: dict[str, Any]) -> None:
    """No amount becomes a float on its way, and no moment loses its microseconds or its zone."""
    with bank.writing() as tx:
        insert(tx, accounts, [{"name": "rich", **row}])

    assert kept(bank)["rich"] == (row["balance"], row["at"])


def test_it_takes_rows_as_they_were_read(bank: Database) -> None:
    """What a query has found can be written as it is."""
    with bank.writing() as tx:
        found = tx.execute(select(accounts.c.name, accounts.c.balance)).mappings().all()
        upsert_by(tx, accounts, found, key=("name",), update=("balance",))

    assert kept(bank) == {"till": (0, None)}


def test_it_numbers_rows_in_their_order(bank: Database) -> None:
    """The audit trail is told in the order in which it was written: the database counts rows as they stand."""
    told = [f"step {n:03d}" for n in reversed(range(200))]

    with bank.writing() as tx:
        insert(tx, accounts, [{"name": each, "balance": 0} for each in told])

    assert names(bank) == ["till", *told]


def test_it_leaves_what_is_there_alone(bank: Database) -> None:
    """A row whose key is there already stays as it is, and one that comes twice is inserted once."""
    with bank.writing() as tx:
        insert_new(tx, accounts, [{"name": each, "balance": 9} for each in ("till", "new", "new")])

    assert kept(bank) == {"till": (0, None), "new": (9, None)}


def test_it_refuses_what_is_there(bank: Database) -> None:
    """A row that may not be there and is, is refused with all that came with it."""
    rows = [{"name": each, "balance": 9} for each in ("new", "till")]

    with pytest.raises(StatementFailed), bank.writing() as tx:
        insert(tx, accounts, rows)

    assert names(bank) == ["till"]


def test_it_refuses_a_moment_without_a_zone(bank: Database) -> None:
    """Nobody can say which moment a naive datetime means, however it travels."""
    naive = datetime(2026, 3, 1)  # noqa: DTZ001 - it is what the test is about

    with pytest.raises(ValueError, match="time zone"), bank.writing() as tx:
        insert(tx, accounts, [{"name": "naive", "balance": 0, "at": naive}])

    assert names(bank) == ["till"]


def test_it_refuses_what_no_text_can_hold(bank: Database) -> None:
    """A lone surrogate is one statement's fault, and no error of another kind."""
    with pytest.raises(StatementFailed), bank.writing() as tx:
        insert(tx, accounts, [{"name": "\ud800", "balance": 0}])

    assert names(bank) == ["till"]


def test_it_writes_what_sqlalchemy_writes(bank: Database) -> None:
    """A row looks the same to other programs, whichever way it went in."""
    row = {"name": "ours", "balance": 5, "at": AT}

    with bank.writing() as tx:
        insert(tx, accounts, [row])
        tx.execute(plain_insert(accounts).values({**row, "name": "theirs"}))
        stored = select(cast(accounts.c.at, Text)).where(accounts.c.balance == 5)
        found = tx.scalars(stored).all()

    assert len(found) == 2
    assert len(set(found)) == 1


def test_it_refuses_rows_with_other_columns(bank: Database) -> None:
    """A row that leaves a column out is a mistake, and no word that the column is empty."""
    with pytest.raises(KeyError), bank.writing() as tx:
        insert(tx, accounts, [{"name": "a", "balance": 1}, {"name": "b"}])

    assert names(bank) == ["till"]
