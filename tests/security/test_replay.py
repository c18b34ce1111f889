"""Is an event that somebody recorded worth anything the second time?"""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from reconciler.db import events, tables
from reconciler.db.digest import digest
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from tests.journeys.stories import event, intent
from tests.webhook.signing import SECRET, sign
from webhook.app import STRIPE_PATH, create_app
from webhook.wiring import WebhookSettings

NOW = datetime.now(UTC).replace(microsecond=0)
BODY = json.dumps(
    event("evt_1", "payment_intent.succeeded", intent("pi_1", "succeeded", 1000))
).encode()
RECORDED = {"Stripe-Signature": sign(BODY, SECRET, NOW)}


def _send(
    database: Database, at: datetime, headers: dict[str, str] = RECORDED, body: bytes = BODY
) -> int:
    """Send a request when our clock shows a moment."""
    app = create_app(Inbox(db=database), WebhookSettings(secrets=(SECRET,)), clock=lambda: at)
    with TestClient(app) as client:
        return int(client.post(STRIPE_PATH, content=body, headers=headers).status_code)


def _books(database: Database) -> str:
    with database.reading() as tx:
        return digest(tx)


@pytest.fixture
def recorded(database: Database) -> str:
    """Let an event come in for the first time; return the digest of the books after it."""
    with database.writing() as tx:
        events.settle_setting(tx, "mode", "test")
    assert _send(database, NOW) == 200
    return _books(database)


@pytest.mark.parametrize("age_s", [0, 1, 299, 300])
def test_it_does_nothing_twice(database: Database, recorded: str, age_s: int) -> None:
    """Within the tolerance a recorded request is a delivery that we have had: 200, and the books stay as they are."""
    assert _send(database, NOW + timedelta(seconds=age_s)) == 200
    assert _books(database) == recorded


@pytest.mark.parametrize("age_s", [301, 3 * 86_400, 31 * 86_400, -301, -86_400])
def test_it_refuses_what_was_signed_at_another_time(
    database: Database, recorded: str, age_s: int
) -> None:
    """After the tolerance, and before it, a recorded request is refused, and the books stay as they are."""
    assert _send(database, NOW + timedelta(seconds=age_s)) == 400
    assert _books(database) == recorded


def test_it_knows_an_event_whose_body_is_gone(database: Database, recorded: str) -> None:
    """An id stays after the retention has emptied its body: signed anew or not, the event is a duplicate."""
    with database.writing() as tx:
        tx.execute(update(tables.stripe_events).values(body=b""))
    pruned = _books(database)
    later = NOW + timedelta(days=400)

    assert _send(database, later, {"Stripe-Signature": sign(BODY, SECRET, later)}) == 200
    assert _books(database) == pruned


@pytest.mark.parametrize("piece", [b"1000", b"pi_1", b"succeeded"])
def test_it_takes_no_signature_for_another_body(
    database: Database, recorded: str, piece: bytes
) -> None:
    """A recorded signature is worth nothing for a body with another amount, id or status."""
    changed = BODY.replace(piece, piece[::-1])

    assert _send(database, NOW, body=changed) == 400
    assert _books(database) == recorded
