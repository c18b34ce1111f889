"""Does one parameter stand for hundreds of values?"""

from typing import Final

from sqlalchemy import insert, or_, select
from sqlalchemy.dialects import sqlite

from reconciler.db.members import one_of, one_of_those
from reconciler.db.session import Database
from tests.db.scratch import accounts

NAMES: Final = [
    "pi_1",
    'a "quote"',
    "it's",
    "back\\slash",
    "brackets [1, 2]",
    "%s ?",
    "Zoë €",
    "",
    "1",
]


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


def test_it_lets_sqlite_use_its_indexes() -> None:
    """Each side of an `or` can be looked up; compared with 1, as booleans are, it would be a walk through the table."""
    condition = or_(one_of(accounts.c.name, ["a"]), one_of_those(accounts.c.name, "names"))

    assert "= 1" not in str(condition.compile(dialect=sqlite.dialect()))
