"""Does `doctor` see what works today and will hurt later, before the first payment does?"""

from dataclasses import replace

import pytest
from sqlalchemy import text

from reconciler.db.adopted import adopt
from reconciler.db.adoption_checks import Finding, findings
from reconciler.db.fitting import Description
from reconciler.db.invoice_table import InvoiceTable
from reconciler.db.session import Database
from tests.adoption.apps import DJANGO, FRENCH, App
from tests.adoption.describing import described

POSTGRESQL = pytest.mark.parametrize("dialect", ["postgresql"])
SQLITE = pytest.mark.parametrize("dialect", ["sqlite"])


def _seen(database: Database, right: Description) -> list[Finding]:
    with database.reading() as tx:
        return list(findings(tx, adopt(tx, right), right))


def _adopted(app: App, database: Database) -> InvoiceTable:
    with database.reading() as tx:
        return adopt(tx, described(app, database))


def _bad(database: Database, right: Description) -> list[str]:
    return [each.what for each in _seen(database, right) if each.is_bad]


def test_it_says_what_will_hurt_later(django: App, database: Database) -> None:
    """A column that is looked up without an index, and an amount that is 0 once it is paid, are told with their mend."""
    table = described(django, database).table
    with database.writing() as tx:
        tx.execute(text(f"UPDATE {table} SET status = 'paid', total = 0"))
    found = _seen(database, replace(described(django, database), payable=("paid",)))

    bad = [each.what for each in found if each.is_bad]
    assert bad == [
        "total is 0 in every invoice that is paid: it holds what is left to pay; name the column with the total"
    ]
    seen = [each.what.split(":")[0] for each in found if not each.is_bad]
    assert seen == ["stripe_payment_intent has no index, and is looked up for every payment"]


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_distrusts_a_name(database: Database) -> None:
    """A column that is called like a remainder is asked about."""
    FRENCH.create(database)
    with database.migrating() as tx:
        tx.execute(text("ALTER TABLE factures RENAME COLUMN montant_ttc TO reste_a_payer"))
    right = described(FRENCH, database)
    columns = {**right.columns, "amount_due": "reste_a_payer"}
    found = _seen(database, replace(right, columns=columns))

    assert [each.what.split(":")[0] for each in found if "reste" in each.what] == [
        "reste_a_payer sounds like what is left to pay"
    ]


@POSTGRESQL
def test_it_says_which_right_is_missing(django: App, database: Database) -> None:
    """A user that may read but not write the three columns is told the line that grants it."""
    found = _adopted(django, database)
    user = "reads_only"
    with database.migrating() as tx:
        tx.execute(text(f"CREATE ROLE {user}"))
        tx.execute(text(f"GRANT USAGE ON SCHEMA {django.name} TO {user}"))
        tx.execute(text(f"GRANT SELECT, UPDATE (paid_at) ON {found.table} TO {user}"))
        tx.execute(text(f"SET LOCAL ROLE {user}"))
        told = [
            each.what for each in findings(tx, found, described(django, database)) if each.is_bad
        ]
        tx.execute(text("RESET ROLE"))
        tx.execute(text(f"DROP OWNED BY {user} CASCADE"))
        tx.execute(text(f"DROP ROLE {user}"))

    columns = "status, payment_state"
    assert told == [
        f"{columns} can't be written: GRANT UPDATE ({columns}) ON {found.table} TO {user}"
    ]


def test_it_says_that_nothing_could_be_paid(django: App, database: Database) -> None:
    """Where no invoice has a word that may become paid, the words that it has are told."""
    right = replace(described(django, database), payable=("open",), words={})

    [line] = _bad(database, right)

    assert line.startswith(
        "status never says open: no invoice can become paid; it says draft, sent:"
    )


def test_it_says_that_a_check_refuses_our_word(django: App, database: Database) -> None:
    """A CHECK that does not name the word for paid would refuse every payment."""
    table = described(django, database).table
    short = table.rpartition(".")[2]
    with database.migrating() as tx:
        if database.dialect_name == "postgresql":
            rule = "CHECK (status IN ('sent', 'draft'))"
            tx.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT words {rule}"))
        else:
            tx.execute(text(f"ALTER TABLE {short} RENAME TO old"))
            made = DJANGO.sql["sqlite"][0].replace(
                "created datetime NOT NULL",
                "created datetime NOT NULL, CHECK (status IN ('sent', 'draft'))",
            )
            tx.execute(text(made))
            tx.execute(text(f"INSERT INTO {short} SELECT * FROM old"))
            tx.execute(text("DROP TABLE old"))

    assert [line.split(":")[0] for line in _bad(database, described(django, database))] == [
        "a CHECK on status does not name 'paid'"
    ]


@POSTGRESQL
def test_it_says_that_rows_are_hidden(django: App, database: Database) -> None:
    """Row security that is on for our user is told: it would hide invoices without a word."""
    found, right, user = _adopted(django, database), described(django, database), "sees_nothing"
    with database.migrating() as tx:
        tx.execute(text(f"CREATE ROLE {user}"))
        tx.execute(text(f"GRANT USAGE ON SCHEMA {django.name} TO {user}"))
        tx.execute(text(f"GRANT SELECT, UPDATE ON {found.table} TO {user}"))
        tx.execute(text(f"ALTER TABLE {found.table} ENABLE ROW LEVEL SECURITY"))
        tx.execute(text(f"SET LOCAL ROLE {user}"))
        told = [each.what for each in findings(tx, found, right) if each.is_bad]
        tx.execute(text("RESET ROLE"))
        tx.execute(text(f"DROP OWNED BY {user} CASCADE"))
        tx.execute(text(f"DROP ROLE {user}"))

    assert [line.split(":")[0] for line in told] == [
        "row security hides rows of billing_invoice from us"
    ]


@SQLITE
def test_it_says_that_a_key_may_be_given_twice(database: Database) -> None:
    """A rowid that SQLite gives again after a row was deleted would bring old money to a new invoice."""
    FRENCH.create(database)

    seen = [each.what for each in _seen(database, described(FRENCH, database))]

    assert [line for line in seen if line.startswith("id_facture may be given again")]


@SQLITE
def test_it_gives_a_line_that_the_database_takes(django: App, database: Database) -> None:
    """The index that is asked for can be made by the very line."""
    [line] = [
        each.what for each in _seen(database, described(django, database)) if "INDEX" in each.what
    ]

    with database.migrating() as tx:
        tx.execute(text(line.split(": ")[1]))

    assert not [
        each for each in _seen(database, described(django, database)) if "INDEX" in each.what
    ]
