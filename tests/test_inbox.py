"""Does the inbox keep every event, and do failures stay alone and come to an end?"""

import json
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest
from sqlalchemy import select, update

from reconciler.apply import Policy
from reconciler.core.observation import Source
from reconciler.db import queries, tables
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import StripeEvent, read_event
from reconciler.verify import verify
from tests.databases import refusing
from tests.journeys.stories import event, intent
from tests.stripe_api.shapes import balance_transaction, dispute

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def _told(id_: str, payment_id: str) -> StripeEvent:
    about = intent(payment_id, "succeeded", 1000)
    return read_event(json.dumps(event(id_, "payment_intent.succeeded", about)).encode())


def _states(database: Database) -> dict[str, str]:
    with database.reading() as tx:
        return {row["id"]: row["state"] for row in queries.events(tx)}


def test_it_lets_one_bad_event_fail_alone(database: Database) -> None:
    """An event that the database refuses is kept as failed with its error; its neighbours are applied."""
    inbox = Inbox(db=database)
    told = [_told(f"evt_{n}", f"pi_{n}") for n in range(5)]

    with refusing(database, "pi_2"):
        inbox.accept(told, source=Source.POLL, now=NOW)

    states = _states(database)
    with database.reading() as tx:
        error = (queries.event(tx, "evt_2") or {})["error"]
        payments = set(tx.scalars(select(tables.payments.c.id)))
    assert states == {f"evt_{n}": "failed" if n == 2 else "applied" for n in range(5)}
    assert payments == {"pi_0", "pi_1", "pi_3", "pi_4"}
    assert "StatementFailed" in error


def test_it_gives_up_after_ten_attempts_and_calls_a_person(database: Database) -> None:
    """The tenth failure makes the event dead and opens one exception; a retry that works closes it."""
    inbox = Inbox(db=database)
    with refusing(database, "pi_1"):
        inbox.accept([_told("evt_1", "pi_1")], source=Source.WEBHOOK, now=NOW)
        for attempt in range(9):
            inbox.retry(["evt_1"], now=NOW + timedelta(hours=attempt))
        dead = _states(database)
        with database.reading() as tx:
            asked = [e["kind"] for e in queries.open_exceptions(tx, now=NOW + timedelta(days=1))]

    inbox.retry(["evt_1"], now=NOW + timedelta(days=1))

    with database.reading() as tx:
        left = queries.open_exceptions(tx, now=NOW + timedelta(days=2))
    assert dead == {"evt_1": "dead"}
    assert asked == ["event_dead"]
    assert _states(database) == {"evt_1": "applied"}
    assert "event_dead" not in {each["kind"] for each in left}


def test_it_tries_a_failed_event_again_when_stripe_repeats_it(database: Database) -> None:
    """A redelivery of an event that failed applies it; a redelivery of an applied one changes nothing."""
    inbox = Inbox(db=database)
    told = _told("evt_1", "pi_1")
    with refusing(database, "pi_1"):
        inbox.accept([told], source=Source.WEBHOOK, now=NOW)

    inbox.accept([told, told], source=Source.WEBHOOK, now=NOW + timedelta(minutes=5))

    assert _states(database) == {"evt_1": "applied"}


def test_it_counts_attempts_over_redeliveries_and_leaves_the_dead_alone(database: Database) -> None:
    """Each redelivery of a failing event whose time has come is one more attempt; after the tenth none wakes it again."""
    inbox = Inbox(db=database)
    told = _told("evt_1", "pi_1")
    with refusing(database, "pi_1"):
        for attempt in range(10):
            inbox.accept([told], source=Source.WEBHOOK, now=NOW + timedelta(hours=attempt))

    inbox.accept([told], source=Source.WEBHOOK, now=NOW + timedelta(days=1))

    with database.reading() as tx:
        row = queries.event(tx, "evt_1") or {}
    assert (row["state"], row["attempts"]) == ("dead", 10)


def test_it_lets_no_repetition_spoil_the_back_off(database: Database) -> None:
    """However often lists and webhooks repeat a failing event, it is tried no sooner than if nobody did."""
    inbox = Inbox(db=database)
    told = _told("evt_1", "pi_1")
    with refusing(database, "pi_1"):
        for second in range(0, 600, 2):
            source = Source.POLL if second % 60 == 0 else Source.WEBHOOK
            inbox.accept([told], source=source, now=NOW + timedelta(seconds=second))

    with database.reading() as tx:
        row = queries.event(tx, "evt_1") or {}
    # At once, and 5, 20, 80 and 320 s after the one before.
    assert (row["state"], row["attempts"]) == ("failed", 5)


def test_it_lets_one_body_that_can_not_be_read_fail_alone(database: Database) -> None:
    """A stored body that is no event any more fails like any other event; those beside it are applied."""
    inbox = Inbox(db=database)
    told = [_told(f"evt_{n}", f"pi_{n}") for n in range(3)]
    inbox.accept(told, source=Source.POLL, now=NOW)
    rows = tables.stripe_events
    failed = update(rows).values(state="failed", attempts=1, next_attempt_at=NOW)
    with database.writing() as tx:
        tx.execute(failed)
        tx.execute(update(rows).where(rows.c.id == "evt_1").values(body=b"{"))

    for day in range(1, 10):
        inbox.retry_due(now=NOW + timedelta(days=day))

    with database.reading() as tx:
        row = queries.event(tx, "evt_1") or {}
    assert _states(database) == {"evt_0": "applied", "evt_1": "dead", "evt_2": "applied"}
    assert row["error"] == "MalformedBody: The body is not JSON."


def test_it_keeps_no_words_that_may_quote_an_event(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the standard library's is kept by its name alone: it repeats what it was given."""

    def stumbles(*_: object) -> NoReturn:
        int("ada@example.com")
        raise AssertionError

    monkeypatch.setattr("reconciler.inbox.translate", stumbles)
    Inbox(db=database).accept([_told("evt_1", "pi_1")], source=Source.POLL, now=NOW)

    with database.reading() as tx:
        assert (queries.event(tx, "evt_1") or {})["error"] == "ValueError"


def test_it_keeps_the_exact_bytes(database: Database) -> None:
    """The body in the database is byte for byte what was signed."""
    body = json.dumps(event("evt_1", "some.type", {"id": "x"}), indent=3).encode()

    Inbox(db=database).accept([read_event(body)], source=Source.WEBHOOK, now=NOW)

    with database.reading() as tx:
        assert (queries.event(tx, "evt_1") or {})["body"] == body


def test_it_takes_two_words_about_one_balance_transaction(database: Database) -> None:
    """Stripe says it never changes; told otherwise a second time, the event is applied, and the books stay as one wants them."""
    inbox = Inbox(db=database)
    for id_, category in (("evt_1", "dispute"), ("evt_2", "other_adjustment")):
        taken = balance_transaction("txn_1", source="dp_1", type="adjustment", amount=-1000)
        about = dispute(transactions=[taken | {"reporting_category": category}])
        told = read_event(json.dumps(event(id_, "charge.dispute.funds_withdrawn", about)).encode())
        inbox.accept([told], source=Source.WEBHOOK, now=NOW)

    assert _states(database) == {"evt_1": "applied", "evt_2": "applied"}
    assert verify(database, Policy(), now=NOW, rebuild=True).problems == ()


@pytest.mark.parametrize(("first", "second"), [("txn_1", "txn_1"), ("txn_2", "txn_1")])
def test_it_goes_in_no_circle_after_whom_money_belongs_to(
    database: Database, first: str, second: str
) -> None:
    """Balance transactions that name themselves or each other as their source belong to nobody, and are applied."""
    inbox = Inbox(db=database)
    taken = [
        balance_transaction(id_, source=to) for id_, to in (("txn_1", first), ("txn_2", second))
    ]
    about = dispute(transactions=taken)
    told = read_event(json.dumps(event("evt_1", "charge.dispute.created", about)).encode())

    inbox.accept([told], source=Source.WEBHOOK, now=NOW)

    assert _states(database) == {"evt_1": "applied"}
