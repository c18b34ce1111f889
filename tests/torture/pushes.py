"""The daemon dies between claiming a message, sending it and writing that down: does everybody learn everything, once?

No one can take back what a push service has accepted. What was on its way at the moment of the death is sent again under the
same topic, so that a browser shows it once.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select, update

from reconciler.core.observation import Source
from reconciler.db.push_tables import deliveries, push_subscriptions
from reconciler.db.tables import leases, notifications
from reconciler.inbox import Inbox
from reconciler.outbox.batches import BATCH
from reconciler.push.keys import VapidKey, new_key, pem
from reconciler.simulator.browser import Browser
from reconciler.simulator.push_service import PushService
from reconciler.stripe_api.envelope import read_event
from tests.torture.ground import Ground, Victim, wait_until
from tests.torture.told import Past

HOSTS: Final = ("fcm.googleapis.com", "updates.push.services.mozilla.com")
_SENT_WITHIN_S: Final = 40.0
_USER: Final = "user_1"


class Mail:
    """The push services, two browsers of one user, and what reached them."""

    def __init__(self, service: PushService, key: VapidKey, browsers: list[Browser]) -> None:
        self.service, self._key, self._browsers = service, key, browsers

    @property
    def environ(self) -> dict[str, str]:
        """What sets push up."""
        return {
            "PUSH_RELAY": self.service.base_url,
            "PUSH_TOKEN_SECRET": "a secret of the app of some length",
            "VAPID_PRIVATE_KEY": pem(self._key),
            "RECONCILER_PUSH__SUBJECT": "mailto:us@example.com",
        }

    def fill(self, ground: Ground, told: Past) -> None:
        """Let everything be heard that somebody is to be notified of, while nobody sends."""
        now = datetime.now(UTC)
        rows = [_row(each, self._key, now) for each in self._browsers]
        with ground.db.writing() as tx:
            tx.execute(push_subscriptions.insert(), rows)
        heard = [read_event(json.dumps(each).encode()) for each in told.told]
        Inbox(db=ground.db).accept(heard, source=Source.WEBHOOK, now=now)

    def arrived(self) -> Counter[tuple[str, str]]:
        """How often each message has come to each browser, by its topic."""
        seen = self.service.wait_for(0, within_s=0)
        return Counter((each.browser.host, each.topic) for each in seen)


def _row(browser: Browser, key: VapidKey, now: datetime) -> dict[str, Any]:
    return {
        "user_id": _USER,
        "endpoint": browser.endpoint,
        "host": browser.host,
        "p256dh": browser.p256dh,
        "auth": browser.auth,
        "vapid_key": key.public,
        "locale": "en",
        "created_at": now - timedelta(days=1),
        "confirmed_at": now - timedelta(days=1),
    }


@contextmanager
def mail() -> Iterator[Mail]:
    """Serve new browsers until the end of the block."""
    key = new_key()
    with PushService() as service:
        browsers = [service.new_subscription(host, server_key=key.public) for host in HOSTS]
        yield Mail(service, key, browsers)


def wait_until_sent(ground: Ground, daemon: Victim) -> None:
    """Wait until the daemon leads, and nothing waits to be sent. Raises Unfit."""
    # One that is asked to end before it has begun dies of the signal, as any program does.
    wait_until(
        lambda: _is_led(ground) and not _waiting(ground),
        _SENT_WITHIN_S,
        lambda: f"{_waiting(ground)} messages are never sent: {daemon.last_words()}",
    )


def let_claims_run_out(ground: Ground) -> None:
    """Let the time be over for which a dead daemon has claimed its messages."""
    then = datetime.now(UTC) - timedelta(seconds=1)
    claimed = deliveries.c.claimed_until.is_not(None)
    with ground.db.writing() as tx:
        tx.execute(update(deliveries).where(claimed).values(claimed_until=then, due_at=then))


def unsent(ground: Ground, clean: set[tuple[str, str]], now: Counter[tuple[str, str]]) -> list[str]:
    """What did not come to everybody as in a run without a death, or came again though nobody died while it was on its way."""
    found = [f"{host} never got {topic}" for host, topic in sorted(clean - now.keys())]
    found += [f"{host} got {topic}, of which nobody knew" for host, topic in now.keys() - clean]
    again = sum(now.values()) - len(now)
    if again > len(HOSTS) * BATCH:
        found.append(f"{again} messages were sent again, more than can be on their way at once")
    with ground.db.reading() as tx:
        states = set(tx.scalars(select(deliveries.c.state)))
    if states - {"accepted", "expired"}:
        found.append(f"deliveries are {sorted(states)}")
    return found


def _is_led(ground: Ground) -> bool:
    with ground.db.reading() as tx:
        return bool(tx.scalar(select(leases.c.expires_at > datetime.now(UTC))))


def _waiting(ground: Ground) -> int:
    with ground.db.reading() as tx:
        fresh = tx.scalar(
            select(func.count())
            .select_from(notifications)
            .where(notifications.c.state == "pending")
        )
        made = tx.scalar(
            select(func.count()).select_from(deliveries).where(deliveries.c.state == "waiting")
        )
    return int(fresh or 0) + int(made or 0)
