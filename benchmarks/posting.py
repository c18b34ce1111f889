"""How are messages sent as the daemon sends them, by the sender alone and through the outbox?"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.push_server import browsers
from benchmarks.work import Said, Task
from reconciler import logs
from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import Source
from reconciler.db import deliveries, outbox, subscriptions, tables
from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, open_database
from reconciler.outbox import Outbox, Surroundings, Terms
from reconciler.push.keys import read_key
from reconciler.push.sending import Answer, Message, Sender, Subscription

SUBJECT: Final = "mailto:benchmark@example.com"
_LANES: Final = 8
_SAID: Final = b'{"id":"0","title":"Payment received","body":"Invoice 2026-00001: 49.98 EUR","tag":"0","url":"/"}'
# As webhooks come on a busy day: one at a time, with a rest in between.
_REST_S: Final = 0.02


def sent_of(*, base: str, file: str, key: str) -> Task:
    """Send one message to each browser by eight threads, as a lane does, without any books."""
    sender = _sender(base, key)
    found = [
        Subscription(each["endpoint"], each["p256dh"], each["auth"])
        for each in browsers(Path(file))
    ]
    message = Message(payload=_SAID, ttl_s=86_400, urgency="normal", topic="benchmark")

    def send_all() -> Said:
        now = datetime.now(UTC)
        with ThreadPoolExecutor(_LANES) as pool:
            sent = pool.map(lambda each: sender.send(each, message, now).answer, found)
            return {"objects": sum(each is Answer.ACCEPTED for each in sent)}

    return send_all


def delivered_of(*, base: str, file: str, key: str, url: str, schema: str) -> Task:
    """Deliver one notification to each browser, each another user's, from the row to the row."""
    logs.configure("json", "error")
    db = open_database(url, schema=schema)
    pair, sender, stop = read_key(key), _sender(base, key), threading.Event()
    count = len(browsers(Path(file)))
    around = Surroundings(
        db=db,
        send=sender.send,
        terms=Terms(vapid_key=pair.public),
        now=lambda: datetime.now(UTC),
        goes_on=lambda: True,
        stop=stop,
    )
    tray = Outbox(around)

    def deliver_all() -> Said:
        while _waiting(db):
            tray.tick()
            time.sleep(0.05)
        return {"objects": count}

    return deliver_all


def applied_beside_of(*, url: str, schema: str, count: int) -> Task:
    """Apply one payment after the other while others use the books; says how long 99 of 100 took at most."""
    from benchmarks.pages import said_pages  # noqa: PLC0415 - only this task needs it

    db = open_database(url, schema=schema)
    policy, took_us = Policy(), []
    payments = [each for page in said_pages(count) for each in page]

    def apply_each() -> Said:
        for each in payments:
            began_s = time.perf_counter()
            with db.writing() as tx:
                apply_payment_state(
                    tx, [each], source=Source.WEBHOOK, now=datetime.now(UTC), policy=policy
                )
            took_us.append(int((time.perf_counter() - began_s) * 1e6))
            time.sleep(_REST_S)
        took_us.sort()
        return {
            "objects": count,
            "p50_us": took_us[count // 2],
            "p99_us": took_us[count * 99 // 100],
        }

    return apply_each


def seeded_of(*, url: str, schema: str, file: str, public_key: str) -> Task:
    """Make the tables, let each browser subscribe, and put one notification for each into them."""

    def seed() -> Said:
        db = open_database(url, schema=schema, create=True)
        upgrade(db)
        return {"objects": _subscribed(db, file, public_key)}

    return seed


def _sender(base: str, key: str) -> Sender:
    return Sender(
        read_key(key), SUBJECT, ("*.googleapis.com", "*.mozilla.com", "*.apple.com"), relay=base
    )


def _subscribed(db: Database, file: str, public_key: str) -> int:
    """Let each browser subscribe, and put one notification for each into the books."""
    found, now = browsers(Path(file)), datetime.now(UTC)
    with db.writing() as tx:
        for number, each in enumerate(found):
            subscriptions.save(
                tx,
                user_id=f"user-{number}",
                endpoint=each["endpoint"],
                host=each["host"],
                p256dh=each["p256dh"],
                auth=each["auth"],
                vapid_key=public_key,
                locale="en",
                now=now,
            )
        tx.execute(
            tables.notifications.insert(), [_row(number, now) for number in range(len(found))]
        )
    return len(found)


def _row(number: int, now: datetime) -> dict[str, Any]:
    return {
        "milestone": f"invoice_paid:{number}",
        "user_id": f"user-{number}",
        "kind": "invoice_paid",
        "invoice_id": str(number),
        "number": f"2026-{number:05}",
        "amount": 4998,
        "currency": "eur",
        "stripe_at": now,
        "enqueued_at": now,
    }


def _waiting(db: Database) -> int:
    with db.reading() as tx:
        return outbox.backlog(tx)[0] + deliveries.backlog(tx)[0]
