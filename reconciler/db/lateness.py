"""Who told us first that a payment was paid, and how long after Stripe's time?

It rests on rows that are there anyway. A payment is known as paid by its transition to `succeeded`, whose `source` is the
door and whose `at` is the moment of the decision: an event that had to be tried again is as late as the try that went well.
What a read decided after a webhook had told of it counts for the webhook, by `stripe_events` about the payment, its charges
and its Checkout Sessions. `payments.paid_at` is Stripe's time, unless the only evidence of it is a read of ours (rank 3), or
a card that was held first (rank 2 is the hold's time then): such a payment is counted and has no lateness.

Left out are foreign payments, what was paid before the day from which everything counts, and what Stripe had before our
first sign of life unless a webhook told: to find it later is no lateness. An event that came by a sweep first keeps that
source, whatever a webhook brings afterwards.

For metrics: `told_since` gives single payments, so that a histogram may be fed with those after the last `known_at`;
`measure` of it gives counts and percentiles of a stretch of time, which go down as well as up.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Row, Select, false, select

from reconciler.core.facts import SUCCEEDED
from reconciler.core.lateness import Delivery, Paid, Told, told
from reconciler.core.observation import ReferenceKind, Source
from reconciler.core.payment import PaymentStatus
from reconciler.db.session import Tx
from reconciler.db.tables import (
    payment_references,
    payments,
    stripe_events,
    sweep_runs,
    transitions,
)

# So many of the newest rows of the audit trail are looked at, whatever stretch of time is asked for.
ROWS_MAX: Final = 100_000
_AT_ONCE: Final = 500
_OF_THE_CHARGE: Final = 2
_ABOUT: Final = (ReferenceKind.CHARGE.value, ReferenceKind.CHECKOUT_SESSION.value)


class Heard(NamedTuple):
    """The payments that became known as paid from a moment on, oldest first; later than asked for if they were too many."""

    since: datetime
    payments: tuple[Told, ...]


def told_since(tx: Tx, since: datetime, *, counts_from: datetime | None) -> Heard:
    """Who told first of each payment that became known as paid since a moment; `counts_from` is `[matching] since`."""
    since = _within_reach(tx, since)
    found = _paid(tx, _decided().where(transitions.c.at > since).order_by(transitions.c.at))
    begun = _begun(tx)
    late = [
        each
        for each in _judged(tx, found)
        if _counts(each, found[each.payment_id], counts_from=counts_from, begun=begun)
    ]
    return Heard(since, tuple(late))
