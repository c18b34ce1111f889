"""Do the settings become an outbox that really sends, and do `status` and `explain` say how it stands?"""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from reconciler.cli.lines import Colour
from reconciler.cli.outbox import outbox_of, push_line, sender_of, terms_of, vapid_key_of
from reconciler.cli.story import story_of
from reconciler.config import Push, Secrets, Settings, SettingsError
from reconciler.daemon import Leader
from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.push.keys import new_key, pem
from reconciler.push.sending import Answer, Sent
from reconciler.simulator.browser import Browser
from reconciler.simulator.push_service import PushService
from tests.core.builders import NOON
from tests.journeys.conftest import write_invoices
from tests.outbox.post import HOST, Post

SUBJECT = "mailto:ops@example.com"
ANN = {"id": "i1", "number": "INV-1", "amount_due": 1250, "user_id": "ann"}


def _settings(key: str = "", subject: str = SUBJECT, relay: str | None = None) -> Settings:
    return Settings(
        push=Push(subject=subject, allowed_hosts=(HOST,), invoice_url="/invoices/{id}"),
        secrets=Secrets(vapid_private_key=SecretStr(key) if key else None),
        push_relay=relay,
    )


def test_it_sends_what_waits_to_a_real_push_service(database: Database) -> None:
    """With a key and a subject, a pending notification reaches the browser, encrypted, signed and once; then it rests."""
    key, post = new_key(), Post(database)
    stop, leader = threading.Event(), Leader(database)
    with PushService() as service:
        browser = service.new_subscription(host=HOST)
        settings = _settings(pem(key), relay=service.base_url)
        _subscribed(post, browser, key.public)
        at = datetime.now(UTC)
        post.notify(stripe_at=at, enqueued_at=at, invoice_id="i1", number="INV-1")
        leader.tend()
        with outbox_of(settings, database, leader, stop) as outbox:
            for _ in range(2):
                outbox.tick()
                assert outbox.rest(20)

        [arrival] = service.arrived
        said = json.loads(arrival.clear or b"")
        assert (said["title"], said["body"]) == ("Payment received", "Invoice INV-1: 12.50 EUR")
        assert (said["url"], said["tag"]) == ("/invoices/i1", arrival.topic)
    assert post.states == ["accepted"]


def _subscribed(post: Post, browser: Browser, public: str) -> None:
    post.subscribe(
        "ann",
        browser.path.removeprefix("/"),
        p256dh=browser.p256dh,
        auth=browser.auth,
        vapid_key=public,
    )


def test_it_begins_nothing_where_another_daemon_leads(database: Database) -> None:
    """One that stands by looks at no notification and sends nothing."""
    post = Post(database)
    post.subscribe()
    post.notify()
    settings = _settings(pem(new_key()))

    with outbox_of(settings, database, Leader(database), threading.Event()) as outbox:
        outbox.tick()

    assert (post.notices, post.states) == (["pending"], [])


def test_it_is_no_sender_without_a_key_and_a_subject() -> None:
    """Without either nothing is sent; one that can't be used is a problem of the settings that names it, and no secret."""
    assert sender_of(_settings()) is None
    assert sender_of(_settings(pem(new_key()), subject="")) is None
    assert vapid_key_of(_settings()) is None
    assert terms_of(_settings()).vapid_key == ""
    with pytest.raises(SettingsError) as refused:
        sender_of(_settings("no key"))
    assert "VAPID_PRIVATE_KEY" in str(refused.value)
    assert "no key" not in str(refused.value)


LINES = [
    (True, 0, 0, Colour.GOOD, "nothing waits to be sent"),
    (True, 1, 60, Colour.GOOD, "1 message waits to be sent, the oldest for 60 s"),
    (True, 2, 3600, Colour.LOOK, "2 messages wait to be sent, the oldest for 60 min"),
    (False, 0, 0, Colour.GOOD, "not set up: [push] subject and VAPID_PRIVATE_KEY are missing"),
    (
        False,
        1,
        60,
        Colour.LOOK,
        "not set up: [push] subject and VAPID_PRIVATE_KEY are missing; 1 message waits to be sent",
    ),
]


@pytest.mark.parametrize(("is_set_up", "count", "age_s", "colour", "words"), LINES)
def test_it_says_how_much_waits(
    database: Database, is_set_up: bool, count: int, age_s: int, colour: Colour, words: str
) -> None:
    """The line of `status` has what waits and since when, or what is missing; it is worth a look when it waits for long."""
    post = Post(database)
    for _ in range(count):
        post.notify()
    settings = _settings(pem(new_key())) if is_set_up else Settings()

    with database.reading() as tx:
        line = push_line(tx, settings, NOON + timedelta(seconds=age_s))

    assert (line.colour, line.words) == (colour, words)


def test_it_explains_what_became_of_each_notification(database: Database) -> None:
    """The story of an invoice tells of each notification how many messages of it came how far."""
    post = Post(database)
    write_invoices(database, ANN)
    sad, glad = post.subscribe("ann", "sad"), post.subscribe("ann", "glad")
    post.services.answers[sad] = Sent(Answer.LATER, 500)
    post.services.answers[glad] = Sent(Answer.ACCEPTED, 201)
    for milestone, user in (("invoice_paid:i1", "ann"), ("refund_done:re_1", "bob")):
        post.notify(user, milestone=milestone, invoice_id="i1", kind=milestone.split(":")[0])

    post.run()
    post.notify("ann", milestone="refund_done:re_2", invoice_id="i1", kind="refund_done")
    with database.reading() as tx:
        story = story_of(tx, queries.invoice(tx, "i1") or {})

    told = [each for step in story["steps"] for each in step["changes"]]
    assert told == [
        "user ann is told: invoice paid (1 accepted, 1 waiting)",
        "user bob is told: refund done (no browser of theirs wants to hear)",
        "user ann is told: refund done (not looked at yet)",
    ]
