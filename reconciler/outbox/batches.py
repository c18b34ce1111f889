"""Which messages does a lane take, and what is written down when it has sent them?

A claim and its end are one transaction each, with a fixed number of statements: whoever applies payments waits for them.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from reconciler import metrics
from reconciler.core.exceptions import ExceptionKind
from reconciler.db import alerts, deliveries, outbox, subscriptions
from reconciler.db.deliveries import DeliveryState, Due, Mark
from reconciler.db.outbox import FAILED_ATTEMPT
from reconciler.db.session import Database, Tx
from reconciler.outbox.letters import Terms
from reconciler.outbox.outcomes import PROBE_EVERY, Result, closed_for, mark_of
from reconciler.push.sending import Answer

log = structlog.get_logger(__name__)

BATCH: Final = 100
LEASE: Final = timedelta(seconds=60)
# So many in a row that a push service did not answer: it is left alone for a while.
SILENT_MAX: Final = 16
SILENT_FOR: Final = timedelta(seconds=30)
# So many alerts are looked at in a night.
_ALERTS_MAX: Final = 500
_TOO_OLD: Final = "too old"
_BAD: Final = frozenset({Answer.BAD_KEY, Answer.BAD_ENDPOINT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Messages for one push service that one lane has claimed. A probe is for one that has refused the ones before."""

    host: str
    token: str
    dues: tuple[Due, ...]
    is_probe: bool = False


def claim(db: Database, terms: Terms, host: str, now: datetime) -> Batch | None:
    """Take what is due for a push service, and end what is not worth sending any more; None: nothing is due."""
    token = secrets.token_hex(8)
    with db.writing() as tx:
        is_probe = alerts.is_open(tx, kind=ExceptionKind.PUSH_REFUSED, subject=host)
        found = deliveries.due(tx, host, now, limit=BATCH)
        ended = _not_worth_sending(tx, found, terms, now)
        deliveries.mark(tx, list(ended.values()), token=None, now=now)
        dues = [each for each in found if each.id not in ended][: 1 if is_probe else BATCH]
        deliveries.claim(tx, (each.id for each in dues), token=token, until=now + LEASE)
    metrics.push_expired(sum(each.reason == _TOO_OLD for each in ended.values()))
    if not found:
        return None
    return Batch(host=host, token=token, dues=tuple(dues), is_probe=is_probe)


def _not_worth_sending(
    tx: Tx, found: Sequence[Due], terms: Terms, now: datetime
) -> dict[int, Mark]:
    attempts = {
        each.notification_id: (each.milestone, each.invoice_id)
        for each in found
        if each.kind == FAILED_ATTEMPT
    }
    late = outbox.overtaken(tx, attempts)
    old = outbox.outdated(
        tx, {each.notification_id: (each.milestone, each.user_id) for each in found}
    )
    ended = {}
    for each in found:
        end = _end(each, terms, now)
        if end is None and each.notification_id in late:
            end = DeliveryState.EXPIRED, "paid by now"
        if end is None and each.notification_id in old:
            end = DeliveryState.EXPIRED, "there is later news"
        if end is not None:
            state, reason = end
            ended[each.id] = Mark(
                id=each.id, state=state, attempts=each.attempts, due_at=now, reason=reason
            )
    return ended


def _end(due: Due, terms: Terms, now: datetime) -> tuple[DeliveryState, str] | None:
    if due.browser is None:
        return DeliveryState.GONE, "the browser has unsubscribed"
    if terms.expires_at(due.stripe_at) <= now:
        return DeliveryState.EXPIRED, _TOO_OLD
    if due.browser != subscriptions.ACTIVE:
        return DeliveryState.FAILED, "the browser's subscription can't be used"
    if due.vapid_key != terms.vapid_key:
        return DeliveryState.FAILED, "the browser subscribed with another key"
    return None


def settle(  # noqa: PLR0913 - a batch, and what it came to
    db: Database,
    terms: Terms,
    batch: Batch,
    results: Sequence[Result],
    now: datetime,
    *,
    at_fault: bool,
) -> datetime | None:
    """Write down how a batch went; returns until when its push service is to be left alone, None: not at all.

    `at_fault`: it refuses us, and not one user's browser.
    """
    answers = [each.sent.answer for each in results if each.sent is not None]
    accepted = answers.count(Answer.ACCEPTED)
    marks = [
        mark_of(each, now, terms.expires_at(each.due.stripe_at), at_fault=at_fault)
        for each in results
    ]
    is_new = False
    with db.writing() as tx:
        deliveries.mark(tx, marks, token=batch.token, now=now)
        _end_browsers(tx, results, now)
        if at_fault:
            # Behind those of the others, however many they are: the next message that is tried is somebody else's.
            deliveries.put_off(tx, batch.host, _refused_users(results), now + PROBE_EVERY)
            is_new = _open_alert(tx, batch, results, now)
        elif accepted and batch.is_probe:
            alerts.close_alerts(tx, kind=ExceptionKind.PUSH_REFUSED, subjects=[batch.host], now=now)
    metrics.push_expired(sum(each.state is DeliveryState.EXPIRED for each in marks))
    if is_new:
        log.error("push.refused", host=batch.host, status=_refusal(results))
    log.info(
        "batch.sent",
        host=batch.host,
        **{each.value: answers.count(each) for each in Answer if each in answers},
        left=len(results) - len(answers),
    )
    return now + PROBE_EVERY if at_fault else _closed_until(results, now)


def expire(db: Database, before: datetime, now: datetime) -> int:
    """End messages of news older than a moment, while nothing can be sent; returns how many that were, a batch at most."""
    with db.reading() as tx:
        waits = bool(deliveries.overdue(tx, before, now, limit=1))
    if not waits:
        return 0
    with db.writing() as tx:
        late = deliveries.overdue(tx, before, now, limit=BATCH)
        deliveries.expire(tx, late, reason=_TOO_OLD, now=now)
    metrics.push_expired(len(late))
    return len(late)


def close_deserted(db: Database, now: datetime) -> None:
    """Close the alerts of push services behind which no browser is left: nothing would ever be tried there again."""
    kind = ExceptionKind.PUSH_REFUSED
    with db.writing() as tx:
        refusing = alerts.subjects(tx, kind=kind)
        left = subscriptions.hosts(tx, refusing)
        deserted = sorted(refusing - left)[:_ALERTS_MAX]
        alerts.close_alerts(tx, kind=kind, subjects=deserted, now=now)
    if deserted:
        log.info("push.deserted", hosts=len(deserted))


def _end_browsers(tx: Tx, results: Sequence[Result], now: datetime) -> None:
    """Forget browsers that are gone, and send nothing more to those that can't be sent to."""
    said = {each.due.subscription_id: (each.due, each.sent) for each in results if each.sent}
    gone = [id_ for id_, (_, sent) in said.items() if sent.answer is Answer.GONE]
    subscriptions.drop(tx, gone, now=now, reason="the browser has ended its subscription")
    bad = [
        id_
        for id_, (due, sent) in said.items()
        if sent.answer in _BAD
        and subscriptions.quarantine(tx, id_, sent.reason, p256dh=due.p256dh, auth=due.auth)
    ]
    deliveries.fail_all(tx, bad, reason="the browser's subscription can't be used", now=now)


def _open_alert(tx: Tx, batch: Batch, results: Sequence[Result], now: datetime) -> bool:
    return alerts.open_alert(
        tx,
        kind=ExceptionKind.PUSH_REFUSED,
        subject=batch.host,
        fingerprint=f"it answers {_refusal(results)}",
        now=now,
    )


def _refused_users(results: Sequence[Result]) -> set[str]:
    sent = ((each.due.user_id, each.sent) for each in results if each.sent is not None)
    return {user_id for user_id, each in sent if each.answer is Answer.REFUSED}


def _refusal(results: Sequence[Result]) -> int | None:
    refused = (each.sent for each in results if each.sent is not None)
    return next((each.status for each in refused if each.answer is Answer.REFUSED), None)


def _closed_until(results: Sequence[Result], now: datetime) -> datetime | None:
    sent = [each.sent for each in results if each.sent is not None]
    asked = [wait for each in sent if (wait := closed_for(each)) is not None]
    if asked:
        return now + max(asked)
    silent = [each for each in sent if each.answer is Answer.LATER and each.status is None]
    if len(silent) >= SILENT_MAX and len(silent) == len(sent):
        return now + SILENT_FOR
    return None
