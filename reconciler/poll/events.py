"""Which events did Stripe make that never reached us?

`GET /v1/events` by time (https://docs.stripe.com/api/events/list), never by a stored id, which ages out after 30 days. Lists
are newest first, so that a page proves nothing about what is older: the window is cut into slices, oldest first, and the
cursor moves to a slice's end in the transaction of the slice's last page. A crash repeats at most one slice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import structlog

from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import Source, moment
from reconciler.core.schedule import EVENTS_KEPT_MS, SECOND_MS, Window, events_window
from reconciler.db import alerts, events, sweeps
from reconciler.db.session import Tx
from reconciler.poll import rights
from reconciler.poll.depth import Depth, parts, position_ms
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, recorded
from reconciler.stripe_api.envelope import MalformedBody, StripeEvent, read_listed_event
from reconciler.stripe_api.pager import Page, pages
from reconciler.stripe_api.translate import EVENT_TYPES

log = structlog.get_logger(__name__)

CURSOR: Final = "events"
KIND: Final = "event"
PATH: Final = "/v1/events"
_GONE: Final = "Stripe lists no events of"
# One look at `status` a day is enough to learn of it.
TOLD_FOR: Final = timedelta(days=1)
# A question may name 20 types at most, and there are more.
TYPES_MAX: Final = 20
_TYPES: Final = tuple(sorted(EVENT_TYPES))
TYPE_LISTS: Final = tuple(
    _TYPES[start : start + TYPES_MAX] for start in range(0, len(_TYPES), TYPES_MAX)
)


def sweep_events(poller: Poller, depth: Depth) -> None:
    """Take in all events from behind the cursor until a moment ago. Raises StripeProblem, StorageUnavailable, Stopped."""
    with recorded(poller, depth.name) as tally, rights.watched(poller, KIND):
        position, date_ms = position_ms(poller, CURSOR), poller.gateway.date_ms(PATH)
        if position < date_ms - EVENTS_KEPT_MS:
            _tell_what_is_gone(position, date_ms, tally)
        else:
            tally.note = _told_lately(poller, depth.name)
        window = events_window(
            position_ms=position,
            date_ms=date_ms,
            overlap_ms=depth.overlap_ms,
            lag_ms=depth.lag_ms,
        )
        for part in parts(window, position):
            _take_slice(poller, part, tally, is_new=part.until_ms > position)


def _tell_what_is_gone(position: int, date_ms: int, tally: Tally) -> None:
    """Say that events since the cursor are listed no more; what they told of, the lists of objects find."""
    gone = (
        moment(position).date().isoformat(),
        moment(date_ms - EVENTS_KEPT_MS).date().isoformat(),
    )
    tally.note = f"{_GONE} {gone[0]} to {gone[1]} any more: object lists cover them"
    log.warning("events.aged_out", since=gone[0], until=gone[1])


def _told_lately(poller: Poller, sweep: str) -> str | None:
    """What was said of events that are listed no more, for as long as somebody may still want to know."""
    since = poller.now() - TOLD_FOR
    with poller.db.reading() as tx:
        said = sweeps.remark(tx, sweep, _GONE, since=since - TOLD_FOR)
    return said[0] if said is not None and said[1] > since else None


def _take_slice(poller: Poller, part: Window, tally: Tally, *, is_new: bool) -> None:
    created = {"gte": part.since_ms // SECOND_MS, "lt": part.until_ms // SECOND_MS}
    for types in TYPE_LISTS:
        for page in pages(poller.gateway, PATH, {"created": created, "types": list(types)}):
            is_end = is_new and page.is_last and types is TYPE_LISTS[-1]
            _take_page(poller, page, tally, part if is_end else None)
    tally.covered(part)


def _take_page(poller: Poller, page: Page, tally: Tally, complete: Window | None) -> None:
    """Store and apply a page, and move the cursor with it if that completes a slice."""
    readable: list[StripeEvent] = []
    bad: list[tuple[str, str]] = []
    for body in page.objects:
        try:
            readable.append(read_listed_event(body))
        except MalformedBody as malformed:
            bad.append((sha256(body).hexdigest()[:16], malformed.reason))
    now = poller.now()
    known = _known(poller, readable)

    def besides(tx: Tx) -> None:
        _ask_about(tx, bad, now)
        if complete is not None:
            poller.fence(tx)
            sweeps.move(tx, CURSOR, moment(complete.until_ms), now)

    poller.inbox.accept(readable, source=Source.POLL, now=now, besides=besides)
    tally.objects += len(page.objects)
    tally.found += len({each.id for each in readable} - known)


def _known(poller: Poller, listed: Sequence[StripeEvent]) -> frozenset[str]:
    if not listed:
        return frozenset()
    with poller.db.reading() as tx:
        return frozenset(events.known(tx, [each.id for each in listed]))


def _ask_about(tx: Tx, bad: Sequence[tuple[str, str]], now: datetime) -> None:
    """Ask a person about what Stripe lists as events and nobody can read."""
    for digest, reason in bad:
        subject = f"unreadable event {digest}"
        kind = ExceptionKind.EVENT_DEAD
        if alerts.open_alert(tx, kind=kind, subject=subject, fingerprint=reason, now=now):
            log.error("event.unreadable", digest=digest, reason=reason)
