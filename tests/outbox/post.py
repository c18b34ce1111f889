"""What do tests of the outbox share? Users with browsers, notifications for them, and push services that behave as they are told."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Table, select

from reconciler.db import subscriptions, tables
from reconciler.db.push_tables import deliveries, push_subscriptions
from reconciler.db.session import Database, Tx, transaction_open
from reconciler.outbox import Outbox, Surroundings, Terms
from reconciler.push.sending import Answer, Message, Sent, Subscription
from tests.core.builders import NOON

HOST = "push.example.com"
KEY = "our-public-key"
ACCEPTED = Sent(Answer.ACCEPTED, 201)


@dataclass(frozen=True, slots=True)
class Got:
    """A message as a push service got it."""

    endpoint: str
    message: Message

    @property
    def said(self) -> dict[str, Any]:
        """The clear text."""
        return dict(json.loads(self.message.payload))


class PushServices:
    """Push services of any host: each answers what it was told to, by endpoint, by host, or yes."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: dict[str, Sent | Callable[[Message], Sent]] = {}
        self.most_at_once: dict[str, int] = defaultdict(int)
        self._at_once: dict[str, int] = defaultdict(int)
        self._held: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def send(self, subscription: Subscription, message: Message, _now: datetime) -> Sent:
        """Take a message; what takes it is not in a transaction."""
        assert not transaction_open()
        host = urlsplit(subscription.endpoint).netloc
        with self._lock:
            self._at_once[host] += 1
            self.most_at_once[host] = max(self.most_at_once[host], self._at_once[host])
            self.got.append(Got(subscription.endpoint, message))
            answer = self.answers.get(subscription.endpoint, self.answers.get(host, ACCEPTED))
            held = self._held.get(subscription.endpoint) or self._held.get(host)
        if held is not None:
            assert held.wait(20)
        with self._lock:
            self._at_once[host] -= 1
        return answer(message) if callable(answer) else answer

    @contextmanager
    def holding(self, *names: str) -> Iterator[None]:
        """Let these hosts, or addresses, answer nobody until the end of the block."""
        event = threading.Event()
        with self._lock:
            self._held |= dict.fromkeys(names, event)
        try:
            yield
        finally:
            with self._lock:
                self._held = {name: each for name, each in self._held.items() if each is not event}
            event.set()

    @property
    def endpoints(self) -> list[str]:
        """Who got something, in order."""
        return [each.endpoint for each in self.got]


@dataclass
class Post:
    """A database with notifications, a clock, and the push services behind them."""

    db: Database
    services: PushServices = field(default_factory=PushServices)
    now: datetime = NOON
    terms: Terms = field(default_factory=lambda: Terms(vapid_key=KEY))
    stop: threading.Event = field(default_factory=threading.Event)
    _made: Outbox | None = None
    _count: int = 0

    @property
    def around(self) -> Surroundings:
        """What the lanes are given."""
        return Surroundings(
            db=self.db,
            send=self.services.send,
            terms=self.terms,
            now=lambda: self.now,
            goes_on=lambda: not self.stop.is_set(),
            stop=self.stop,
        )

    def restart(self, *, is_set_up: bool = True) -> Outbox:
        """Begin anew, as a daemon that was started again."""
        self._made = Outbox(self.around, is_set_up=is_set_up)
        return self._made

    @property
    def outbox(self) -> Outbox:
        """The one that is at work."""
        return self._made or self.restart()

    def run(self, after_s: float = 0) -> None:
        """Let some time pass, and see to what is due then until nothing is at work."""
        self.now += timedelta(seconds=after_s)
        self.outbox.tick()
        assert self.outbox.rest(20)

    def subscribe(self, user: str = "ann", browser: str = "a", **changed: Any) -> str:
        """Save a browser of a user; returns its endpoint."""
        with self.db.writing() as tx:
            return self._save(tx, user, browser, changed)

    def notify(self, user: str = "ann", **changed: Any) -> str:
        """Enqueue a notification, as the door does; returns its milestone."""
        with self.db.writing() as tx:
            return self._enqueue(tx, user, changed)

    def crowd(self, many: int, **changed: Any) -> None:
        """So many users, each with a browser and a notification."""
        with self.db.writing() as tx:
            for number in range(many):
                self._save(tx, f"user{number}", str(number), changed)
                self._enqueue(tx, f"user{number}", {})

    def _save(self, tx: Tx, user: str, browser: str, changed: Mapping[str, Any]) -> str:
        plain = {"p256dh": "p", "auth": "a", "vapid_key": KEY, "locale": "en", "now": NOON}
        row = {"host": HOST, **plain, **changed}
        endpoint = f"https://{row['host']}/{browser}"
        subscriptions.save(tx, user_id=user, endpoint=endpoint, **row)
        return endpoint

    def _enqueue(self, tx: Tx, user: str, changed: Mapping[str, Any]) -> str:
        self._count += 1
        plain = {
            "milestone": f"invoice_paid:i{self._count}",
            "kind": "invoice_paid",
            "invoice_id": f"i{self._count}",
            "number": f"INV-{self._count}",
            "amount": 1250,
            "currency": "eur",
            "stripe_at": self.now,
            "enqueued_at": self.now,
        }
        row = {**plain, "user_id": user, **changed}
        tx.execute(tables.notifications.insert(), row)
        return str(row["milestone"])

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """All rows, in order."""
        with self.db.reading() as tx:
            return [dict(row) for row in tx.execute(select(table).order_by(table.c.id)).mappings()]

    @property
    def deliveries(self) -> list[dict[str, Any]]:
        """What became of each message."""
        return self.rows(deliveries)

    @property
    def states(self) -> list[str]:
        """The same in one word each."""
        return [row["state"] for row in self.deliveries]

    @property
    def notices(self) -> list[str]:
        """What became of each notification."""
        return [row["state"] for row in self.rows(tables.notifications)]

    @property
    def browsers(self) -> list[tuple[str, str]]:
        """The browsers that are left: where and in which state."""
        return [(row["endpoint"], row["state"]) for row in self.rows(push_subscriptions)]

    @property
    def alerts(self) -> list[tuple[str, str, str, int]]:
        """What was opened: kind, subject, state and count."""
        rows = self.rows(tables.exceptions)
        return [(row["kind"], row["subject"], row["state"], row["count"]) for row in rows]
