"""Does a statement that is kept find, and write, what SQLAlchemy would?"""

from datetime import UTC, datetime
from typing import Final

import pytest
from sqlalchemy import Boolean, bindparam, literal_column, select, union_all, update

from reconciler.db.errors import StatementFailed
from reconciler.db.members import one_of_those
from reconciler.db.prepared import read, read_named, write, write_all
from reconciler.db.rows import insert
from reconciler.db.session import Database
from tests.db.scratch import accounts

AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMED: Final = (
    select(accounts.c.name, accounts.c.balance, accounts.c.at)
    .where(one_of_those(accounts.c.name, "names"))
    .order_by(accounts.c.id)
)
# A parameter of its own, one that is told twice, and two halves.
RICH: Final = union_all(
    select(literal_column("'rich'").label("what"), accounts.c.name).where(
        accounts.c.balance > 5, accounts.c.balance <= bindparam("most")
    ),
    select(literal_column("'poor'"), accounts.c.name).where(accounts.c.balance > bindparam("most")),
)
RAISE: Final = (
    update(accounts)
    .where(accounts.c.name == bindparam("key"))
    .values(balance=bindparam("raised"), at=bindparam("since"))
)


@pytest.fixture
def shop(bank: Database) -> Database:
    """The till and two accounts more."""
    with bank.writing() as tx:
        rows = [{"name": "a", "balance": 6, "at": AT}, {"name": "b", "balance": 70, "at": None}]
        insert(tx, accounts, rows)
    return bank


def test_it_finds_rows_with_their_types(shop: Database) -> None:
    """Moments come back as aware moments, and columns under their names."""
    with shop.reading() as tx:
        found = read(tx, NAMED, names={"b", "a", "nobody"})
        named = read_named(tx, NAMED, names=["a"])
        none = read(tx, NAMED, names=())

    assert found == [("a", 6, AT), ("b", 70, None)]
    assert named == [{"name": "a", "balance": 6, "at": AT}]
    assert none == []


def test_it_answers_anew_each_time(shop: Database) -> None:
    """What is kept is the statement, not its parameters or rows; those of the statement itself stay."""
    with shop.reading() as tx:
        found = [sorted(read(tx, RICH, most=most)) for most in (70, 6, 70)]

    assert found == [
        [("rich", "a"), ("rich", "b")],
        [("poor", "b"), ("rich", "a")],
        [("rich", "a"), ("rich", "b")],
    ]


def test_it_makes_booleans_of_what_sqlite_has_for_them(shop: Database) -> None:
    """SQLite has numbers for true and false."""
    is_rich = (accounts.c.balance > 5).cast(Boolean).label("is_rich")
    statement = select(accounts.c.name, is_rich).order_by(accounts.c.id)

    with shop.reading() as tx:
        found = read(tx, statement)

    assert [(name, is_it is True) for name, is_it in found] == [
        ("till", False),
        ("a", True),
        ("b", True),
    ]


def test_it_changes_rows(shop: Database) -> None:
    """One row, or one after the other."""
    with shop.writing() as tx:
        write(tx, RAISE, key="till", raised=1, since=AT)
        write_all(tx, RAISE, [{"key": key, "raised": 2, "since": None} for key in ("a", "b")])

    with shop.reading() as tx:
        found = read(tx, NAMED, names=["till", "a", "b"])
    assert found == [("till", 1, AT), ("a", 2, None), ("b", 2, None)]


def test_it_says_what_the_database_refuses(shop: Database) -> None:
    """An error has our name, as from any other statement."""
    taken = update(accounts).where(accounts.c.name == bindparam("key")).values(name="till")

    with pytest.raises(StatementFailed), shop.writing() as tx:
        write(tx, taken, key="a")


def test_it_requires_every_parameter(shop: Database) -> None:
    """A name that is forgotten or misspelt is no question about nothing."""
    with pytest.raises(KeyError), shop.reading() as tx:
        read(tx, NAMED, name=["a"])
