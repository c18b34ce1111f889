"""How do the settings become something that sends notifications, and what does `status` say of it?"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from reconciler.cli.context import now
from reconciler.cli.lines import Colour, Line, words_of
from reconciler.config import Settings, SettingsError, missing_for_sending
from reconciler.daemon import Leader, beat
from reconciler.db import deliveries, outbox
from reconciler.db.session import Database, Tx
from reconciler.outbox import Outbox, Surroundings, Terms
from reconciler.push.keys import VapidKey, read_key
from reconciler.push.sending import Answer, Message, Sender, Sent, Subscription

# What is on its way when the daemon must end may still be written down; else it is sent again, and seen once.
_REST_S: Final = 1.0
_LATE: Final = timedelta(minutes=15)


def vapid_key_of(settings: Settings) -> VapidKey | None:
    """Our pair; None where there is none. A key that can't be read is wrong settings."""
    secret = settings.secrets.vapid_private_key
    if secret is None:
        return None
    try:
        return read_key(secret.get_secret_value())
    except ValueError as error:
        raise SettingsError([f"VAPID_PRIVATE_KEY: {error}"]) from None


def sender_of(settings: Settings) -> Sender | None:
    """What sends under the key of the settings; None where push is not set up."""
    key = vapid_key_of(settings)
    if key is None or missing_for_sending(settings):
        return None
    push = settings.push
    try:
        return Sender(key, push.subject, push.allowed_hosts, relay=settings.push_relay)
    except ValueError as error:
        raise SettingsError([f"[push] subject: {error}"]) from None


def terms_of(settings: Settings) -> Terms:
    """What the settings say about notifications."""
    key, push = vapid_key_of(settings), settings.push
    return Terms(
        vapid_key=key.public if key else "",
        ttl_s=int(push.ttl_s),
        max_age_s=int(push.max_age_s),
        invoice_url=push.invoice_url,
        finance_users=tuple(push.finance_users),
    )


@contextmanager
def outbox_of(
    settings: Settings, db: Database, leader: Leader, stop: threading.Event
) -> Iterator[Outbox]:
    """The notifications of a database, as long as the block lasts; nothing is begun but while this daemon leads."""
    sender = sender_of(settings)

    def alive_now() -> datetime:
        beat()
        return now()

    around = Surroundings(
        db=db,
        send=_nowhere if sender is None else sender.send,
        terms=terms_of(settings),
        now=alive_now,
        goes_on=lambda: leader.leads and not stop.is_set(),
        stop=stop,
    )
    found = Outbox(around, is_set_up=sender is not None)
    try:
        yield found
    finally:
        found.rest(_REST_S)
        if sender is not None:
            sender.close()


def _nowhere(_subscription: Subscription, _message: Message, _now: datetime) -> Sent:
    return Sent(Answer.LATER, reason="push is not set up")


def push_line(tx: Tx, settings: Settings, at: datetime) -> Line:
    """How much waits to be sent, and since when; the hosts that refuse us stand among the alerts."""
    fresh, fresh_since = outbox.backlog(tx)
    made, made_since = deliveries.backlog(tx)
    missing = missing_for_sending(settings)
    if missing:
        words = (
            f"not set up: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        )
        if not fresh + made:
            return Line(Colour.GOOD, "push", words)
        return Line(Colour.LOOK, "push", f"{words}; {_waiting(fresh + made)}")
    if not fresh + made:
        return Line(Colour.GOOD, "push", "nothing waits to be sent")
    since = min(each for each in (fresh_since, made_since) if each is not None)
    words = f"{_waiting(fresh + made)}, the oldest for {words_of(at - since)}"
    is_late = at - since > _LATE
    return Line(Colour.LOOK if is_late else Colour.GOOD, "push", words)


def _waiting(count: int) -> str:
    return f"{count} {'message waits' if count == 1 else 'messages wait'} to be sent"
