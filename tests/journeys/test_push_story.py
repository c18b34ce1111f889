"""A payment whose webhook is lost comes to its user as one notification, whatever is told again afterwards.

The programs are real, started as people start them; Stripe and the push services are played.
"""

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from reconciler.db import queries, subscriptions, sweeps
from reconciler.db.push_tables import deliveries
from reconciler.db.session import Database
from reconciler.db.tables import notifications, stripe_events
from reconciler.push.keys import VapidKey, new_key, pem
from reconciler.simulator import checkout, till
from reconciler.simulator.browser import Browser
from reconciler.simulator.push_service import PushService, answer, broken
from tests.cli.program import Program
from tests.journeys.conftest import add_invoices
from tests.journeys.programs import (
    Running,
    Start,
    Stripe,
    environment,
    free_port,
    set_out,
    wait_until,
)
from tests.journeys.stories import Sender
from tests.webhook.push_app import TOKEN_SECRET, token

LINK_AMOUNT = 2500
HOST = "fcm.googleapis.com"


@pytest.fixture
def place(database_url: str, schema: str) -> tuple[str, str]:
    """Tell programs where the books are."""
    return database_url, schema


@pytest.fixture
def service() -> Iterator[PushService]:
    """Give the push services of all vendors."""
    with PushService() as service:
        yield service


def settings_of(key: VapidKey, relay: str) -> dict[str, str]:
    """Give the variables that set push up."""
    return {
        "PUSH_RELAY": relay,
        "PUSH_TOKEN_SECRET": TOKEN_SECRET,
        "VAPID_PRIVATE_KEY": pem(key),
        "RECONCILER_PUSH__SUBJECT": "mailto:us@example.com",
        "RECONCILER_PUSH__INVOICE_URL": "/invoices/{id}",
    }


def subscribe(port: int, user: str, said: Mapping[str, Any]) -> int:
    """Send what a browser says to the program that serves, with a token of the app; returns the status."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/push/subscriptions",
        json.dumps(said).encode(),
        {"Authorization": f"Bearer {token(user)}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return int(answer.status)


def is_up(port: int) -> bool:
    """Whether the program could store an event now."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def pay_by_link(stripe: Stripe, db: Database, user: str) -> None:
    """Bill by a Payment Link of the invoice's own, and let somebody pay there; no webhook tells of it."""
    link = checkout.make_link(stripe.world, "eur")
    add_invoices(
        db,
        {
            "id": "i1",
            "number": "INV-1",
            "amount_due": LINK_AMOUNT,
            "user_id": user,
            "stripe_payment_link_id": link,
        },
    )
    session = checkout.open_session(
        stripe.world, amount=LINK_AMOUNT, currency="eur", payment_link=link
    )
    till.succeed(stripe.world, checkout.begin_payment(stripe.world, session, "payer@example.com"))
    checkout.complete(stripe.world, session)


def send_everything_again(stripe: Stripe, port: int) -> None:
    """Let the webhooks that were lost arrive after all, twice each."""
    sender = Sender(port)
    for _ in range(2):
        for happening in stripe.world.happenings:
            assert sender.send(happening.event) == 200
    sender.close()


def sweep_everything_again(
    stripe: Stripe, db: Database, program: Running, place: tuple[str, str], folder: Path
) -> None:
    """Let the daemon list once more what it has listed, and finance compare the days."""
    set_back = set_out(db)
    wait_until(lambda: _listed_until(db) > set_back, program)
    environ = environment(*place, stripe.base_url)
    today = datetime.now(UTC).date()
    days = ("--from", str(today - timedelta(days=1)), "--to", str(today))
    answer = Program(folder).run("reconcile", *days, "--by", "finance", **environ)
    assert answer.code == 0, answer.everything


def _listed_until(db: Database) -> datetime:
    with db.reading() as tx:
        found = [sweeps.position(tx, cursor) for cursor in ("events", "money")]
    return min(each for each in found if each is not None)


def payment_status(db: Database) -> str | None:
    """Return what the invoice says."""
    with db.reading() as tx:
        row = queries.invoice(tx, "i1")
    return None if row is None else row["payment_status"]


def start(run: Start, key: VapidKey, relay: str, **environ: str) -> tuple[Running, int]:
    """Start the program that serves and sweeps."""
    port = free_port()
    program = run("up", port=port, **settings_of(key, relay), **environ)
    wait_until(lambda: is_up(port), program)
    return program, port


def said(browser: Browser) -> dict[str, Any]:
    """Return what a page sends of its subscription."""
    return {**browser.subscription, "locale": "en", "vapid_public_key": browser.server_key}


def test_it_notifies_once(
    run: Start,
    stripe: Stripe,
    database: Database,
    service: PushService,
    place: tuple[str, str],
    tmp_path: Path,
) -> None:
    """Paid by Payment Link, its webhooks lost, found by the sweep: one notification, and none more for anything again."""
    set_out(database)
    key = new_key()
    program, port = start(run, key, service.base_url)
    browser = service.new_subscription(server_key=key.public)
    assert subscribe(port, "ann", said(browser)) == 201

    pay_by_link(stripe, database, "ann")
    stripe.catch_up()
    [arrival] = service.wait_for(1, within_s=40)

    assert payment_status(database) == "paid"
    assert arrival.browser == browser
    told = json.loads(arrival.clear or b"")
    assert (told["title"], told["body"]) == ("Payment received", "Invoice INV-1: 25.00 EUR")
    assert (told["url"], told["tag"]) == ("/invoices/i1", arrival.topic)

    send_everything_again(stripe, port)
    sweep_everything_again(stripe, database, program, place, tmp_path)
    assert subscribe(port, "ann", said(browser)) == 200

    with database.reading() as tx:
        events = tx.execute(select(func.count()).select_from(stripe_events)).scalar_one()
        states = list(tx.execute(select(notifications.c.state)).scalars())
    assert events >= len(stripe.world.happenings)
    assert states == ["sent"]
    # Longer than the daemon takes to look for what is to be sent.
    assert len(service.wait_for(2, within_s=3)) == 1
    assert list(service.refused) == []


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_it_ends_in_time_while_a_push_service_hangs(
    run: Start, stripe: Stripe, database: Database, service: PushService
) -> None:
    """SIGTERM waits for no answer: what was taken is written down, and the message that hangs waits for the next start."""
    set_out(database)
    key = new_key()
    quick, slow = (service.new_subscription(HOST, server_key=key.public) for _ in range(2))
    for browser in (quick, slow):
        _save(database, browser, key)
    service.play(slow, broken(answer(503), stall_s=60))
    pay_by_link(stripe, database, "ann")
    stripe.catch_up()
    daemon = run("daemon", **settings_of(key, service.base_url))
    wait_until(lambda: service.connections == 2 and service.arrived, daemon)
    began_s = time.monotonic()

    code = daemon.stop()

    # By itself the sender gives up after ten seconds.
    assert time.monotonic() - began_s < 6
    assert (code, daemon.lines) == (0, [])
    column = deliveries.c
    with database.reading() as tx:
        states = list(tx.scalars(select(column.state).order_by(column.id)))
    assert states == ["accepted", "waiting"]


def _save(db: Database, browser: Browser, key: VapidKey) -> None:
    with db.writing() as tx:
        subscriptions.save(
            tx,
            user_id="ann",
            endpoint=browser.endpoint,
            host=browser.host,
            p256dh=browser.p256dh,
            auth=browser.auth,
            vapid_key=key.public,
            locale="en",
            now=datetime.now(UTC),
        )
