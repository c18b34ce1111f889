"""The database goes away: 503, and after it is back Stripe's retry works without a restart."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.db import queries
from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, open_database
from tests.conftest import PostgresServer
from tests.journeys.conftest import Server, add_invoices, start_server
from tests.journeys.stories import event, intent

Start = Callable[[], Server]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=False)
def test_it_answers_503_while_a_stranger_holds_the_lock(
    serve: Start, database: Database, tmp_path: Path, dialect: str
) -> None:
    """A foreign lock makes the answer 503, nothing is stored, and the retry after it is a 200."""
    add_invoices(database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    sender = serve().sender()
    told = event(
        "evt_1", "payment_intent.succeeded", intent("pi_1", "succeeded", 1000, invoice="INV-1")
    )
    stranger = sqlite3.connect(tmp_path / "reconciler.db", isolation_level=None)
    stranger.execute("BEGIN EXCLUSIVE")

    during = sender.send(told)
    stranger.execute("ROLLBACK")
    stranger.close()
    after = sender.send(told)

    assert (during, after) == (503, 200)
    with database.reading() as tx:
        assert queries.invoice(tx, "1")["status"] == "paid"


def test_it_works_again_after_postgresql_was_away(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """PostgreSQL is stopped at once: 503; after its return the same process answers 200, and the 200 holds."""
    database = open_database(postgres_server.url, schema="outage")
    upgrade(database)
    add_invoices(database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    server = start_server(postgres_server.url, "outage", tmp_path)
    paid = intent("pi_1", "succeeded", 1000, invoice="INV-1")
    try:
        sender = server.sender()
        first = sender.send(event("evt_0", "some.type", {"id": "x_1"}))
        postgres_server.stop("immediate")
        during = sender.send(event("evt_1", "payment_intent.succeeded", paid))
        postgres_server.start()
        after = sender.send(event("evt_1", "payment_intent.succeeded", paid))
        code = server.stop()
    finally:
        server.end()

    assert (first, during, after, code) == (200, 503, 200, 0)
    with database.reading() as tx:
        assert {row["id"] for row in queries.events(tx)} == {"evt_0", "evt_1"}
        row = queries.invoice(tx, "1")
    database.close()
    assert row is not None
    assert row["status"] == "paid"
