"""What is read of one stretch of a list, and does each id of it stand on both sides?"""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from reconciler.core.schedule import SECOND_MS, Window
from reconciler.db import holds, runs, spans
from reconciler.db.runs import Slice
from reconciler.poll.runs import Tally
from reconciler.reconcile.going import Run, RunCut
from reconciler.reconcile.gone import is_gone, tell_found, tell_gone, tell_other
from reconciler.reconcile.lanes import Walk
from reconciler.reconcile.patience import patiently
from reconciler.reconcile.stretches import Listing, Stretch, border_s, parts_of
from reconciler.stripe_api import listed
from reconciler.stripe_api.pager import Page, pages

log = structlog.get_logger(__name__)

# So many more ids here than at Stripe are no differences any more: these are the books of another account.
STRANGERS_MAX: Final = 20_000


@dataclass
class _Seen:
    """What was read of a slice so far."""

    ids: set[str] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)
    sums: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    worth: dict[str, spans.Worth] = field(default_factory=dict)


def read_slice(run: Run, stretch: Stretch, walking: Walk) -> None:
    """Read a stretch, or the newest part of it and give the rest away. Raises StripeProblem, StorageUnavailable, Stopped."""
    listing, window = stretch
    seen, left_ms = _Seen(), window.until_ms
    for page in pages(run.poller.gateway, listing.path, _asked(stretch)):
        border_ms = _border_ms(run, page, seen, window) if not page.is_last else None
        kept = page if border_ms is None else _newer(page, border_ms)
        _take(run, listing, kept, seen)
        reached_ms = _reached_ms(kept, window) if border_ms is None else border_ms
        reached_ms = window.since_ms if page.is_last else min(left_ms, reached_ms)
        run.meter.read(listing.name, len(kept.objects), left_ms - reached_ms)
        left_ms = reached_ms
        if border_ms is not None:
            read = Window(border_ms, window.until_ms)
            rest = Window(window.since_ms, border_ms)
            objects, room = len(seen.ids), walking.room
            parts = parts_of(rest, read, objects, room=room, least=run.least)
            walking.give(Stretch(listing, each) for each in reversed(parts))
            window = read
            break
        if walking.failure is not None:
            return
    patiently(run.poller.gateway, lambda: _conclude(run, listing, window, seen))


def _asked(stretch: Stretch) -> dict[str, Any]:
    window = stretch.window
    created = {"gte": window.since_ms // SECOND_MS, "lt": window.until_ms // SECOND_MS}
    expand = {"expand": list(stretch.listing.expand)} if stretch.listing.expand else {}
    return {"created": created, **expand}


def _border_ms(run: Run, page: Page, seen: _Seen, window: Window) -> int | None:
    """Where the slice ends for being long enough; None if it goes on."""
    if len(seen.ids) + len(page.objects) < run.least:
        return None
    seconds = [listed.created_s(body) for body in page.objects]
    border = border_s(seconds, window.since_ms // SECOND_MS)
    return None if border is None else border * SECOND_MS


def _newer(page: Page, border_ms: int) -> Page:
    """The objects of a page that were made from a moment on."""
    kept = [
        (id_, body)
        for id_, body in zip(page.ids, page.objects, strict=True)
        if (listed.created_s(body) or 0) * SECOND_MS >= border_ms
    ]
    return replace(page, ids=tuple(id_ for id_, _ in kept), objects=tuple(b for _, b in kept))


def _reached_ms(page: Page, window: Window) -> int:
    oldest_s = listed.created_s(page.objects[-1]) if page.objects else None
    return window.until_ms if oldest_s is None else max(window.since_ms, oldest_s * SECOND_MS)


def _take(run: Run, listing: Listing, page: Page, seen: _Seen) -> None:
    patiently(run.poller.gateway, lambda: run.hand.page(page, seen.tally))
    seen.ids.update(id_ for id_ in page.ids if id_ is not None)
    if listing.kind == "balance_transaction":
        _add_up(run, page, seen)


def _add_up(run: Run, page: Page, seen: _Seen) -> None:
    """Add what moved to the sums of its days, as Stripe's own list tells it."""
    first = run.days.first.toordinal()
    for id_, body in zip(page.ids, page.objects, strict=True):
        moved = listed.moved(body)
        if moved is None:
            continue
        if id_ is not None:
            seen.worth[id_] = spans.Worth(moved.net, moved.fee, moved.currency)
        place = bisect_right(run.edges, moved.created * SECOND_MS) - 1
        day = run.days.first.fromordinal(first + max(0, place)).isoformat()
        of_day = seen.sums.setdefault(day, {})
        count, net_minor = of_day.get(moved.currency, (0, 0))
        of_day[moved.currency] = (count + 1, net_minor + moved.net)


def _conclude(run: Run, listing: Listing, window: Window, seen: _Seen) -> None:
    """Compare the ids of a slice with ours, look into those that only we have, and write the slice down."""
    limit = len(seen.ids) + STRANGERS_MAX
    with run.poller.db.reading() as tx:
        worth = spans.worth(tx, window, limit=limit) if seen.worth else {}
        ours = set(worth or spans.ids(tx, listing.kind, window, limit=limit))
    strangers = sorted(ours - seen.ids)
    if len(strangers) >= STRANGERS_MAX:
        raise RunCut(
            f"{len(strangers)} or more of our {listing.name} are not at Stripe: are these the books of"
            " the account that the key reads?"
        )
    gone = [id_ for id_ in strangers if is_gone(run, listing.kind, id_)]
    unknown = seen.ids - ours
    unkept = len(unknown) - len(run.hand.in_mind(unknown)) - seen.tally.left_alone
    part = Slice(
        list=listing.name,
        window=window,
        at_stripe=seen.tally.objects,
        here=len(ours),
        left_alone=seen.tally.left_alone,
        gap=max(0, unkept) + seen.tally.objects - len(seen.ids),
        sums=seen.sums,
    )
    with run.poller.db.writing() as tx:
        holds.require(tx, run.id, run.token)
        tell_gone(tx, run, [(listing.kind, id_) for id_ in gone])
        tell_other(tx, run, seen.worth, worth)
        tell_found(tx, run, seen.ids | (set(strangers) - set(gone)))
        runs.keep_slice(tx, run.id, part)
    if not run.meter.is_heard:
        log.info(
            "slice.ended",
            run=run.id,
            list=listing.name,
            objects=part.at_stripe,
            gap=part.gap,
            since_ms=window.since_ms,
            until_ms=window.until_ms,
        )
