"""Does `verify` find books that do not follow from what Stripe said, and nothing else?"""

import json

import pytest
from sqlalchemy import delete, func, update
from sqlalchemy.sql.dml import UpdateBase

from reconciler.db import tables
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from tests.cli.bodies import event, intent
from tests.cli.conftest import deliver, import_invoices
from tests.cli.program import Commands

TAMPERED: list[tuple[UpdateBase, str, str]] = [
    (
        update(tables.payments).values(amount_received=9999),
        "pi_1",
        "its columns differ from its facts",
    ),
    (
        update(tables.payments).values(status="failed"),
        "pi_1",
        "its columns differ from its facts",
    ),
    (
        update(tables.payments).values(facts=func.replace(tables.payments.c.facts, "1250", "1249")),
        "pi_1",
        "its columns differ from its facts",
    ),
    (
        update(tables.settlements).values(net=1),
        "invoice inv_1",
        "its net 1 is not what its sums give",
    ),
    (
        update(tables.settlements).values(received=1, net=1),
        "invoice inv_1",
        "should be paid, 1250 net",
    ),
    (
        update(tables.invoices).values(payment_status="unpaid"),
        "invoice inv_1",
        "should be paid, 1250 net",
    ),
    (
        delete(tables.allocations),
        "pi_1",
        "belongs elsewhere: agreement",
    ),
    (
        update(tables.allocations).values(amount=9999),
        "pi_1",
        "9999 is allocated of 1250 received",
    ),
]  # fmt: skip


@pytest.fixture
def paid(commands: Commands, inbox: Inbox) -> Commands:
    """Give the commands on books with one invoice that is paid."""
    import_invoices(commands, "id,currency,amount_due\ninv_1,usd,1250\n")
    deliver(inbox, event(intent(), "payment_intent.created"), event(intent()))
    return commands


def test_it_finds_nothing_in_empty_books(commands: Commands) -> None:
    """Books with nothing in them are right."""
    answer = commands.run("verify", "--rebuild")

    assert answer.code == 0
    assert answer.out == "0 payments and 0 invoices checked, 0 problems.\n"


@pytest.mark.parametrize("options", [(), ("--rebuild",)])
def test_it_finds_nothing_after_events(paid: Commands, options: tuple[str, ...]) -> None:
    """Books that only events and imports wrote are right, and so are the facts behind them."""
    answer = paid.run("verify", *options)

    assert answer.code == 0
    assert answer.out == "1 payments and 1 invoices checked, 0 problems.\n"


@pytest.mark.parametrize(("crime", "subject", "what"), TAMPERED)
def test_it_names_what_was_tampered_with(
    paid: Commands, database: Database, crime: UpdateBase, subject: str, what: str
) -> None:
    """A row that somebody else wrote is named with what is wrong about it, and the exit code is 1."""
    with database.writing() as tx:
        tx.execute(crime)

    answer = paid.run("verify")

    assert answer.code == 1
    assert f"{subject}: {what}" in answer.out
    assert ". Mend: " in answer.out


def test_it_needs_rebuild_to_find_facts_that_nobody_observed(
    paid: Commands, database: Database
) -> None:
    """Facts and columns that agree with each other may still not be what Stripe said."""
    with database.writing() as tx:
        projection = func.replace(tables.observations.c.projection, "1250", "1249")
        tx.execute(update(tables.observations).values(projection=projection))

    assert paid.run("verify").code == 0
    answer = paid.run("verify", "--rebuild")

    assert answer.code == 1
    assert "pi_1: its facts differ from the observations. Mend: " in answer.out


def test_it_changes_nothing(paid: Commands, database: Database) -> None:
    """What is wrong stays as evidence: a second look finds the same."""
    with database.writing() as tx:
        tx.execute(update(tables.settlements).values(net=1))

    first, second = paid.run("verify", "--rebuild"), paid.run("verify", "--rebuild")

    assert first == second
    assert first.code == 1


def test_it_tells_programs_too(paid: Commands, database: Database) -> None:
    """With --json, the same is told in a form that programs read."""
    with database.writing() as tx:
        tx.execute(update(tables.settlements).values(net=1))

    answer = paid.run("verify", "--json")

    assert answer.code == 1
    told = json.loads(answer.out)
    (problem,) = told.pop("problems")
    assert told == {"payments": 1, "invoices": 1, "awaited": 0, "count": 1}
    assert problem.pop("mend")
    assert problem == {
        "check": "net",
        "subject": "invoice inv_1",
        "what": "its net 1 is not what its sums give",
    }


def test_it_prints_no_more_than_was_asked_for(paid: Commands, database: Database) -> None:
    """Where much is wrong, so many problems are printed, and how many others there are."""
    with database.writing() as tx:
        tx.execute(update(tables.stripe_events).values(state="lost"))

    answer = paid.run("verify", "--limit", "1")

    assert answer.code == 1
    assert answer.out.count("Mend: ") == 1
    assert "... and 1 more; --limit prints up to 1000.\n" in answer.out
    assert answer.out.endswith(", 2 problems.\n")


def test_it_says_that_it_could_not_check(paid: Commands, database: Database) -> None:
    """A table that can't be read is neither right nor wrong: the exit code is 3, and no line says otherwise."""
    _rename(database, "transitions", "elsewhere")
    try:
        answer = paid.run("verify")
    finally:
        # All tests share the tables.
        _rename(database, "elsewhere", "transitions")

    assert answer.code == 3
    assert "problems" not in answer.out
    assert answer.err.startswith("reconciler: the database: ")


def _rename(database: Database, old: str, new: str) -> None:
    with database.migrating() as tx:
        tx.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")
