"""Which notifications become deliveries, and to which browsers?

A batch is one transaction under the write lock, and small: whoever applies payments waits for it. Done again, it changes nothing:
what was looked at is pending no more.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog

from reconciler import metrics
from reconciler.core.observation import moment, ms
from reconciler.db import outbox
from reconciler.db.outbox import FAILED_ATTEMPT, SUMMARY, NoticeState, Pending, Place
from reconciler.db.session import Database, Tx
from reconciler.outbox.letters import Terms

log = structlog.get_logger(__name__)

BATCH: Final = 50
DELIVERIES_MAX: Final = 200
SUMMARY_EVERY: Final = timedelta(minutes=15)
# The moment of a decision is taken before its transaction waits for its turn: younger ones may not be there yet. What takes longer
# is told with the next summary.
SETTLED: Final = timedelta(seconds=10)


def spread(db: Database, terms: Terms, now: datetime) -> int:
    """Look at the oldest notifications that are pending; returns how many that were."""
    with db.reading() as tx:
        waits = bool(outbox.pending(tx, limit=1))
    if not waits:
        return 0
    with db.writing() as tx:
        found = outbox.pending(tx, limit=BATCH)
        states, places = _sorted(tx, found, terms, now)
        outbox.send_to(tx, places, now=now)
        for state in NoticeState:
            outbox.conclude(tx, (id_ for id_, each in states.items() if each is state), state)
    metrics.push_expired(sum(each is NoticeState.EXPIRED for each in states.values()))
    log.info("notifications.spread", notifications=len(states), deliveries=_many(places))
    return len(states)


def _sorted(
    tx: Tx, found: list[Pending], terms: Terms, now: datetime
) -> tuple[dict[int, NoticeState], dict[int, list[Place]]]:
    """What becomes of each, and the browsers of those that are sent; what is too much for one transaction is left for the next."""
    fresh = [each for each in found if terms.expires_at(each.stripe_at) > now]
    states = {each.id: NoticeState.EXPIRED for each in found if each not in fresh}
    attempts = {
        each.id: (each.milestone, each.invoice_id) for each in fresh if each.kind == FAILED_ATTEMPT
    }
    late = outbox.overtaken(tx, attempts)
    states |= dict.fromkeys(late, NoticeState.OVERTAKEN)
    wanted = [each for each in fresh if each.id not in late]
    browsers = outbox.browsers_of(tx, {each.user_id for each in wanted}, vapid_key=terms.vapid_key)
    places: dict[int, list[Place]] = {}
    for each in wanted:
        mine = browsers.get(each.user_id, [])
        if places and _many(places) + len(mine) > DELIVERIES_MAX:
            break
        states[each.id] = NoticeState.SENT if mine else NoticeState.NO_BROWSER
        if mine:
            places[each.id] = mine
    return states, places


def _many(places: dict[int, list[Place]]) -> int:
    return sum(len(each) for each in places.values())


def expire(db: Database, before: datetime) -> int:
    """Give up what is older than a moment, while nothing can be sent; returns how many that were, a batch at most."""
    with db.reading() as tx:
        waits = bool(outbox.overdue(tx, before, limit=1))
    if not waits:
        return 0
    with db.writing() as tx:
        late = outbox.overdue(tx, before, limit=BATCH)
        outbox.conclude(tx, late, NoticeState.EXPIRED)
    metrics.push_expired(len(late))
    return len(late)


def sum_up(db: Database, terms: Terms, now: datetime) -> None:
    """Tell finance how much needs a person, if more does than when it was last told."""
    if not terms.finance_users:
        return
    until = now - SETTLED
    with db.reading() as tx:
        if not _is_new(tx, until):
            return
    with db.writing() as tx:
        if not _is_new(tx, until):
            return
        milestone = f"{SUMMARY}:{_quarter(until).isoformat()}"
        count = outbox.summarise(tx, terms.finance_users, milestone=milestone, until=until, now=now)
    log.info("exceptions.summed_up", open=count)


def _is_new(tx: Tx, until: datetime) -> bool:
    last = outbox.summed_at(tx)
    if last is not None and last > until:
        # The clock was set back: nobody must have to wait until it is there again.
        last = None
    if last is not None and until - last < SUMMARY_EVERY:
        return False
    return outbox.began_to_count(tx, since=last, until=until)


def _quarter(at: datetime) -> datetime:
    """When the quarter of an hour began."""
    every_ms = int(SUMMARY_EVERY.total_seconds() * 1000)
    return moment(ms(at) // every_ms * every_ms)
