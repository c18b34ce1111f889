"""One event or object that nothing can be done with: it delays no other one, and in the end a person is asked."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.simulator import till
from tests.databases import refusing
from tests.journeys.timelapse import UNHASTY, Timelapse, timelapse

HOUR = timedelta(hours=1)
TEN_TRIES = 10 * HOUR


@pytest.fixture
def months(database: Database) -> Iterator[Timelapse]:
    """Give an account, a database and a daemon that tries every hour again what failed."""
    with timelapse(database, timing=replace(UNHASTY, open_s=3600)) as months:
        yield months


def _words(months: Timelapse) -> dict[str, str | None]:
    with months.database.reading() as tx:
        return {row["number"]: row["payment_status"] for row in queries.invoices(tx)}


def _dead(months: Timelapse) -> dict[str, int]:
    with months.database.reading() as tx:
        return {row["id"]: row["attempts"] for row in queries.events(tx) if row["state"] == "dead"}


def test_it_parks_an_event_that_cannot_be_read(months: Timelapse) -> None:
    """An event whose object is nothing that Stripe documents is tried ten times; its neighbours are applied at once."""
    before, after = (months.intent(months.bill(n, 5000), 5000) for n in (1, 2))
    till.succeed(months.world, before)
    bad = months.world.emit("charge.succeeded", {"object": "charge", "amount": "x"})
    till.succeed(months.world, after)
    months.run(HOUR)
    at_once = _words(months)

    months.run(TEN_TRIES)

    assert at_once == {"INV-1": "paid", "INV-2": "paid"}
    assert _dead(months) == {bad["id"]: 10}
    assert months.alerts() == {("event_dead", bad["id"])}
    assert months.problems() == ["1 events are dead"]


def test_it_waits_for_a_person_where_the_database_refuses_a_payment(months: Timelapse) -> None:
    """A payment that can't be written is given up after ten tries, the rest is paid; once mended, a retry settles it too."""
    poison, other = (months.intent(months.bill(n, 5000), 5000) for n in (1, 2))
    with refusing(months.database, poison):
        till.succeed(months.world, poison)
        till.succeed(months.world, other)
        months.run(HOUR)
        at_once = _words(months)
        months.run(TEN_TRIES)
    dead = _dead(months)
    called = months.alerts()

    months.poller.inbox.retry(sorted(dead), now=months.now())
    months.run(13 * HOUR)

    told = {
        each.event["id"]
        for each in months.world.happenings
        if poison in str(each.event["data"]["object"])
    }
    assert at_once == {"INV-1": None, "INV-2": "paid"}
    assert dead == dict.fromkeys(told, 10)
    assert called == {
        *(("event_dead", id_) for id_ in told),
        ("read_forbidden", f"payment_intent {poison}"),
    }
    assert _words(months) == {"INV-1": "paid", "INV-2": "paid"}
    assert months.problems() == []
    assert months.alerts() == set()
