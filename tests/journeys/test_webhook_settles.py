"""The original job: signed events arrive over a socket, and the invoice, the payment and the audit trail are right."""

import random
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import select

from reconciler.apply import Policy
from reconciler.db import queries, tables
from reconciler.db.digest import digest
from reconciler.db.session import Database
from reconciler.verify import verify
from tests.journeys.conftest import Server, add_invoices
from tests.journeys.stories import event, failed, intent, link_session

Start = Callable[[], Server]


def _story() -> list[dict[str, object]]:
    """The three events of the original job, and what comes around them."""
    paid_by_link = intent("pi_link", "succeeded", 2500)
    return [
        event(
            "evt_1",
            "payment_intent.created",
            intent("pi_card", "requires_payment_method", 1000, invoice="INV-1"),
            ago_s=60,
        ),
        event(
            "evt_2",
            "payment_intent.payment_failed",
            failed("pi_card", 1000, invoice="INV-1"),
            ago_s=40,
        ),
        event(
            "evt_3",
            "payment_intent.succeeded",
            intent("pi_card", "succeeded", 1000, invoice="INV-1"),
            ago_s=20,
        ),
        event("evt_4", "payment_intent.succeeded", paid_by_link, ago_s=19),
        event(
            "evt_5",
            "checkout.session.completed",
            link_session("cs_1", "pi_link", 2500, reference="INV-2"),
            ago_s=18,
        ),
        event(
            "evt_6",
            "payment_intent.payment_failed",
            failed("pi_fail", 700, invoice="INV-3"),
            ago_s=17,
        ),
    ]


def _invoices(db: Database) -> None:
    add_invoices(
        db,
        {"id": "1", "number": "INV-1", "amount_due": 1000, "user_id": "ann"},
        {
            "id": "2",
            "number": "INV-2",
            "amount_due": 2500,
            "user_id": "bob",
            "stripe_payment_link_id": "plink_1",
        },
        {"id": "3", "number": "INV-3", "amount_due": 700, "user_id": "cid"},
    )


def test_it_settles_invoices_from_signed_events(serve: Start, database: Database) -> None:
    """After the three events each invoice has its status, its moment, its payment and one notice."""
    story = _story()
    _invoices(database)
    sender = serve().sender()

    statuses = [sender.send(each) for each in story]

    assert statuses == [200] * 6
    with database.reading() as tx:
        found = {row["number"]: row for row in queries.invoices(tx)}
        notices = tx.execute(select(tables.notifications.c.milestone)).scalars().all()
        payments = {row["id"]: row for row in queries.payments(tx)}
    assert {n: (r["status"], r["payment_status"]) for n, r in found.items()} == {
        "INV-1": ("paid", "paid"),
        "INV-2": ("paid", "paid"),
        "INV-3": ("open", "failed"),
    }
    assert found["INV-1"]["paid_at"] == datetime.fromtimestamp(story[2]["created"], UTC)
    assert found["INV-3"]["paid_at"] is None
    assert payments["pi_link"]["customer_email"] == "payer@example.com"
    assert payments["pi_card"]["amount_received"] == 1000
    assert sorted(notices) == [
        "invoice_paid:1",
        "invoice_paid:2",
        "payment_failed:pi_card:ch_pi_card_card_declined",
        "payment_failed:pi_fail:ch_pi_fail_card_declined",
    ]
    assert verify(database, Policy(), now=datetime.now(UTC), rebuild=True).problems == ()


def test_it_gives_the_same_books_twice_and_shuffled(serve: Start, database: Database) -> None:
    """Everything twice and in any order leaves the digest of the straight run."""
    story = _story()
    _invoices(database)
    sender = serve().sender()
    for each in story:
        assert sender.send(each) == 200
    with database.reading() as tx:
        straight = digest(tx)

    for seed in range(5):
        _forget(database)
        _invoices(database)
        shuffled = [*story, *story]
        random.Random(seed).shuffle(shuffled)  # noqa: S311
        assert [sender.send(each) for each in shuffled] == [200] * len(shuffled)

        with database.reading() as tx:
            assert digest(tx) == straight, f"seed {seed}"


def _forget(db: Database) -> None:
    with db.writing() as tx:
        for table in reversed(tables.metadata.sorted_tables):
            tx.execute(table.delete())


def test_it_keeps_strangers_apart(serve: Start, database: Database) -> None:
    """Events of the other mode or of another account are kept, settle nothing and call a person."""
    _invoices(database)
    sender = serve().sender()
    paid = intent("pi_x", "succeeded", 1000, invoice="INV-1")

    live = sender.send(event("evt_live", "payment_intent.succeeded", paid, livemode=True))
    other = sender.send(event("evt_other", "payment_intent.succeeded", paid, account="acct_2"))

    assert (live, other) == (200, 200)
    with database.reading() as tx:
        states = {row["id"]: row["state"] for row in queries.events(tx)}
        kinds = [row["kind"] for row in queries.open_exceptions(tx, now=datetime.now(UTC))]
        assert queries.payments(tx) == []
    assert states == {"evt_live": "quarantined", "evt_other": "quarantined"}
    assert kinds == ["wrong_account_or_mode", "wrong_account_or_mode"]


def test_it_stores_what_it_does_not_know(serve: Start, database: Database) -> None:
    """Unknown types are ignored, thin events deferred with a fetch, unreadable objects failed; all get 200."""
    _invoices(database)
    sender = serve().sender()
    thin = {
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": "v1.payment_intent.succeeded",
        "created": "2026-11-20T10:00:00.000Z",
        "livemode": False,
        "related_object": {
            "id": "pi_9",
            "type": "payment_intent",
            "url": "/v1/payment_intents/pi_9",
        },
    }

    statuses = [
        sender.send(event("evt_new", "brand.new.type", {"id": "x_1"})),
        sender.send(thin),
        sender.send(event("evt_bad", "payment_intent.succeeded", {"status": "succeeded"})),
        sender.send(
            event(
                "evt_3",
                "payment_intent.succeeded",
                intent("pi_1", "succeeded", 1000, invoice="INV-1"),
            )
        ),
    ]

    assert statuses == [200] * 4
    with database.reading() as tx:
        states = {row["id"]: row["state"] for row in queries.events(tx)}
        fetches = tx.execute(select(tables.fetches.c.kind, tables.fetches.c.object_id)).all()
        assert queries.invoice(tx, "INV-1")["status"] == "paid"
    assert states == {
        "evt_new": "ignored",
        "evt_thin": "deferred",
        "evt_bad": "failed",
        "evt_3": "applied",
    }
    assert ("payment_intent", "pi_9") in [tuple(row) for row in fetches]
