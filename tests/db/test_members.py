"""Does one parameter stand for hundreds of values?"""

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.dialects import sqlite

from reconciler.db.members import among, one_of
from reconciler.db.rows import upsert_by
from reconciler.db.session import Database
from tests.db.scratch import accounts

NAMES = ["pi_1", 'a "quote"', "it's", "back\\slash", "brackets [1, 2]", "%s ?", "Zoë €", "", "1"]


def test_it_finds_the_rows_with_one_of_the_values(bank: Database) -> None:
    """Every text is found as it is, whatever stands in it, and nothing else is."""
    with bank.writing() as tx:
        tx.execute(insert(accounts), [{"name": each} for each in NAMES])

    with bank.reading() as tx:
        found = {
            each: tx.scalars(select(accounts.c.name).where(one_of(accounts.c.name, [each]))).all()
            for each in NAMES
        }
        several = tx.scalars(select(accounts.c.name).where(one_of(accounts.c.name, NAMES))).all()
        none = tx.scalars(select(accounts.c.name).where(one_of(accounts.c.name, []))).all()

    assert found == {each: [each] for each in NAMES}
    assert (sorted(several), none) == (sorted(NAMES), [])


def on_sqlite(condition: ColumnElement[bool] | None) -> str:
    """A condition as SQLite gets it."""
    assert condition is not None
    return str(condition.compile(dialect=sqlite.dialect()))


def test_it_asks_only_for_what_there_is() -> None:
    """Conditions without a value are left out, and where all are, nothing is asked."""
    name = accounts.c.name

    assert among((name, ()), (name, [])) is None
    assert " OR " not in on_sqlite(among((name, ()), (name, ["till"])))
    assert " OR " in on_sqlite(among((name, ["a"]), (name, ["till"])))


def test_it_lets_sqlite_use_its_indexes() -> None:
    """Each side of an `or` can be looked up; compared with 1, as booleans are, it would be a walk through the table."""
    assert "= 1" not in on_sqlite(among((accounts.c.name, ["a"]), (accounts.c.name, ["till"])))


def test_it_writes_rows_as_sqlalchemy_would(bank: Database) -> None:
    """Rows are inserted, and those that are there are updated, one or many at a time."""
    rows = [{"name": each, "balance": place} for place, each in enumerate(NAMES)]

    with bank.writing() as tx:
        for part in (rows, [{"name": "till", "balance": 7}], rows[1:]):
            upsert_by(tx, accounts, part, key=("name",), update=("balance",))

    with bank.reading() as tx:
        kept = {row.name: row.balance for row in tx.execute(select(accounts))}
    assert kept == {"till": 7} | {each: place for place, each in enumerate(NAMES)}
