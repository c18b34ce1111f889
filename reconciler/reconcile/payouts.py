"""Which payments are in which payout, so that a line on the bank's statement can be found?

Stripe tells it of automatic payouts, in full once their `reconciliation_status` is `completed`
(https://docs.stripe.com/payouts/reconciliation , https://docs.stripe.com/api/payouts/object). What a payout holds never changes
then; whether it arrived may: one that was paid can fail days later.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog

from reconciler.core.money import is_currency
from reconciler.core.observation import Source, moment
from reconciler.core.schedule import SECOND_MS, Window
from reconciler.db import payouts
from reconciler.db.prepared import Row
from reconciler.poll import rights
from reconciler.poll.lists import take_page
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally
from reconciler.poll.taking import Taking
from reconciler.stripe_api.envelope import created_ms
from reconciler.stripe_api.pager import Page, pages
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

log = structlog.get_logger(__name__)

PATH: Final = "/v1/payouts"
KIND: Final = "payout"
TRANSACTIONS: Final = "/v1/balance_transactions"
MANUAL: Final = Taking(source=Source.MANUAL)


class _Payout(msgspec.Struct):
    id: str
    status: str
    currency: str
    amount: int
    created: int
    automatic: bool
    arrival_date: int | None = None
    reconciliation_status: str = ""


def take_payouts(poller: Poller, window: Window, taking: Taking = MANUAL) -> None:
    """Keep the payouts that were made in a window, and what is in each.

    Balance transactions that are not known here go through the one door, in the name of `taking`; they may be of other days.
    Raises StripeProblem, StorageUnavailable or Stopped.
    """
    with rights.watched(poller, KIND):
        for rows in _listed(poller, window):
            with poller.db.writing() as tx:
                payouts.store(tx, rows)
    with poller.db.reading() as tx:
        unread = payouts.unread(tx, window)
    for payout_id in unread:
        _look_into(poller, payout_id, taking)


def foresee_payouts(poller: Poller, window: Window, page: Callable[[Page, Tally], None]) -> None:
    """Give to `page` what `take_payouts` would bring through the door, and write nothing. Raises the same."""
    for rows in _listed(poller, window):
        told = {row["id"] for row in rows if row["is_automatic"] and row["is_complete"]}
        with poller.db.reading() as tx:
            wanted = sorted(told - payouts.read_of(tx, told))
        for payout_id in wanted:
            for found in pages(poller.gateway, TRANSACTIONS, _asked(payout_id)):
                with poller.db.reading() as tx:
                    unknown = payouts.unknown_of(tx, [id_ for id_ in found.ids if id_ is not None])
                if unknown:
                    page(_only(found, unknown), Tally())


def _listed(poller: Poller, window: Window) -> Iterator[list[Row]]:
    created = {"gte": window.since_ms // SECOND_MS, "lt": window.until_ms // SECOND_MS}
    for page in pages(poller.gateway, PATH, {"created": created}):
        yield [_row(body, page, poller.now()) for body in page.objects]


def _asked(payout_id: str) -> dict[str, Any]:
    return {"payout": payout_id, "expand": ["data.source"]}


def _look_into(poller: Poller, payout_id: str, taking: Taking) -> None:
    for page in pages(poller.gateway, TRANSACTIONS, _asked(payout_id)):
        ids = [id_ for id_ in page.ids if id_ is not None]
        with poller.db.reading() as tx:
            unknown = payouts.unknown_of(tx, ids)
        if unknown:
            take_page(poller, _only(page, unknown), Tally(), taking=taking)
        with poller.db.writing() as tx:
            payouts.fill(tx, payout_id, ids)
            if page.is_last:
                payouts.read(tx, payout_id)
    log.info("payout.looked_into", payout=payout_id)


def _only(page: Page, wanted: frozenset[str]) -> Page:
    """The page with no other objects than those that are wanted."""
    kept = [(id_, raw) for id_, raw in zip(page.ids, page.objects, strict=True) if id_ in wanted]
    return replace(page, objects=tuple(raw for _, raw in kept), ids=tuple(id_ for id_, _ in kept))


def _row(body: bytes, page: Page, now: datetime) -> Row:
    """Raises StripeProblem for what is no payout: a list with one left out would look complete."""
    words = f"{PATH}: a payout cannot be read ({page.request_id})"
    try:
        found = msgspec.json.decode(body, type=_Payout)
    except (msgspec.DecodeError, RecursionError):
        raise StripeProblem(ProblemKind.UNREADABLE, words) from None
    made_ms, arrives_ms = created_ms(found.created), created_ms(found.arrival_date)
    currency = found.currency.lower()
    if made_ms is None or not is_currency(currency):
        raise StripeProblem(ProblemKind.UNREADABLE, words)
    return {
        "id": found.id,
        "status": found.status,
        "currency": currency,
        "amount": found.amount,
        "is_automatic": found.automatic,
        "is_complete": found.reconciliation_status == "completed",
        # Stripe names the day of arrival by its midnight in UTC.
        "arrives_on": moment(arrives_ms).date() if arrives_ms is not None else None,
        "stripe_created_at": moment(made_ms),
        "read_at": now,
        "composition_read": False,
    }
