"""Is a description that does not fit the live table refused, every reason at once, each with its mend?"""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from reconciler.apply import Policy
from reconciler.core.ledger import Rules
from reconciler.db import queries
from reconciler.db.adopted import Unmappable, adopt
from reconciler.db.fitting import Description
from reconciler.db.migrate import SchemaMismatch, upgrade
from reconciler.db.session import Database, open_database
from reconciler.inbox import Inbox
from reconciler.poll import RecentSweep, sweep_invoices, sweep_recent
from reconciler.simulator import till
from tests.adoption.apps import PRISMA, App
from tests.adoption.describing import adopted, described
from tests.poll.account import SINCE_MS, Account

POSTGRESQL = pytest.mark.parametrize("dialect", ["postgresql"])


def _refused(database: Database, wrong: Description) -> list[str]:
    with database.reading() as tx, pytest.raises(Unmappable) as refused:
        adopt(tx, wrong)
    return refused.value.problems


def test_it_names_every_column_that_does_not_fit(django: App, database: Database) -> None:
    """A wrong name, one that is none of ours, a missing one, a wrong type and one column for two are all told at once."""
    right = described(django, database)
    wrong = {
        "amount_due": "totl",
        "amount": "total",
        "currency": "",
        "paid_at": "number",
        "status": "payment_state",
        "id": "created",
    }

    problems = _refused(database, replace(right, columns={**right.columns, **wrong}))

    told = {line.split("] ")[1].split(":")[0].split(" ")[0]: line for line in problems}
    assert told["amount_due"].endswith("there is no column totl; did you mean total?")
    assert told["amount"].endswith("is no column of ours; did you mean amount_due?")
    assert "currency: must name a column" in told["currency"]
    assert "created is" in told["id"]
    assert "must be one of: integer, text, uuid" in told["id"]
    assert any("must be columns of their own" in line for line in problems)


def test_it_names_a_table_that_is_not_there(django: App, database: Database) -> None:
    """A typo in the table's name is answered with the one that is meant."""
    right = described(django, database)

    [line] = _refused(database, replace(right, table=right.table.replace("invoice", "invioce")))

    assert "there is no table billing_invioce" in line
    assert line.endswith("did you mean billing_invoice?")


@pytest.mark.parametrize("value", ["=EUR", "=euro", "="])
def test_it_takes_no_currency_that_is_none(django: App, database: Database, value: str) -> None:
    """The one currency of all invoices is three lower-case letters."""
    right = described(django, database)

    [line] = _refused(database, replace(right, columns={**right.columns, "currency": value}))

    assert 'like "=eur"' in line


def test_it_refuses_a_filter_that_is_no_condition(django: App, database: Database) -> None:
    """SQL that the database does not take is told at the start, not with the first payment."""
    right = described(django, database)

    [line] = _refused(database, replace(right, only="deleted_at IS NULL"))

    assert "[invoices] filter: must be a condition" in line


def test_it_refuses_decimals_in_whole_numbers(database: Database) -> None:
    """Cents that are described as decimals would make a hundred times the money."""
    PRISMA.drop(database)
    PRISMA.create(database)
    right = described(PRISMA, database)

    [line] = _refused(database, replace(right, in_decimals=True))
    PRISMA.drop(database)

    assert "amountCents holds whole numbers" in line


@POSTGRESQL
def test_it_refuses_words_that_an_enum_does_not_have(database: Database) -> None:
    """A word that the column can't hold is told with those that it can."""
    PRISMA.drop(database)
    PRISMA.create(database)
    right = described(PRISMA, database)

    problems = _refused(database, replace(right, words={"open": "OPEN"}))
    PRISMA.drop(database)

    line = "[invoices.words] status allows no 'paid': say which of its words means that; it has"
    assert problems == [f"{line} DRAFT, OPEN, PAID, VOID, UNCOLLECTIBLE"]


@pytest.mark.parametrize("spoiled", ["0.001", "-1e20", None])
def test_it_lets_one_unreadable_row_disturb_no_other(
    django: App, database: Database, spoiled: str | None
) -> None:
    """A row that nobody can reckon with is a person's matter, once; the others are settled, and it too once it is mended."""
    if database.dialect_name == "postgresql":
        table = described(django, database).table
        with database.migrating() as tx:
            tx.execute(
                text(
                    f"ALTER TABLE {table} ALTER COLUMN total TYPE numeric, ALTER total DROP NOT NULL"
                )
            )
    elif spoiled is None:
        pytest.skip("SQLite can't drop NOT NULL")
    account = Account(database)
    rules = Rules(since_ms=SINCE_MS, payable=frozenset({"open"}))
    policy = Policy(rules=rules, invoices=adopted(django, database))
    account.poller = account.poller_with(Inbox(db=database, policy=policy))
    for key in django.keys:
        made = till.make_intent(
            account.world, amount=11900, currency="eur", metadata={"invoice_id": key}
        )
        till.succeed(account.world, made)
    _set_total(database, django, None, others="draft")
    account.wait(60)
    sweep_recent(account.poller, RecentSweep(name="recent", reach_s=86_400))

    _set_total(database, django, spoiled)
    for _ in range(2):
        sweep_invoices(account.poller)
    alerts = _unreadable(account)
    states = [django.state(database, key)[:2] for key in django.keys]
    _set_total(database, django, "119.00")
    sweep_invoices(account.poller)
    after = _unreadable(account)

    assert alerts == ["invoice 1"]
    assert states[1] == ("paid", "paid")
    assert django.state(database) == django.paid
    assert after == []


def _unreadable(account: Account) -> list[str]:
    with account.database.reading() as tx:
        rows = queries.open_exceptions(tx, now=account.now())
    return [row["subject"] for row in rows if row["kind"] == "read_forbidden"]


def _set_total(
    database: Database, app: App, total: str | None, *, others: str | None = None
) -> None:
    found = adopted(app, database)
    with database.writing() as tx:
        if others is not None:
            tx.execute(found.table.update().values(status=others))
            return
        tx.execute(
            found.table.update().where(found.columns["number"] == app.key).values(total=total)
        )
        tx.execute(found.table.update().values(status="sent"))


@POSTGRESQL
def test_it_says_that_it_may_not_even_read(django: App, database: Database) -> None:
    """A table that the user may not read is refused at the start, with the grant that it takes."""
    user = "reads_nothing"
    right = described(django, database)
    with database.migrating() as tx:
        tx.execute(text(f"CREATE ROLE {user}"))
        tx.execute(text(f"GRANT USAGE ON SCHEMA {django.name} TO {user}"))
        tx.execute(text(f"SET LOCAL ROLE {user}"))
        with pytest.raises(Unmappable) as refused:
            adopt(tx, right)
        tx.execute(text("RESET ROLE"))
        tx.execute(text(f"DROP OWNED BY {user} CASCADE"))
        tx.execute(text(f"DROP ROLE {user}"))

    [line] = refused.value.problems
    granted = "GRANT SELECT, UPDATE (status, payment_state, paid_at)"
    assert line.endswith(f"{granted} ON {right.table} TO {user}")


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("theirs", "allowed", "refused"),
    [("payments", "", True), ("invoices", "", True), ("invoices", "invoices", False)],
)
def test_it_takes_no_name_of_the_apps(
    tmp_path: Path, dialect: str, theirs: str, allowed: str, refused: bool
) -> None:
    """In a SQLite file that is the app's, a table that is called like one of ours is refused; its `invoices` may stay as it is."""
    database = open_database(f"sqlite:///{tmp_path / 'app.db'}", create=True)
    with database.migrating() as tx:
        tx.execute(text(f"CREATE TABLE {theirs} (id integer PRIMARY KEY)"))

    if refused:
        with pytest.raises(SchemaMismatch, match=theirs):
            upgrade(database, theirs=[allowed] if allowed else [])
    else:
        upgrade(database, theirs=[allowed])
    with database.reading() as tx:
        names = [each["name"] for each in inspect(tx).get_columns(theirs)]
    database.close()

    assert names == ["id"]
