"""Who told us first that a payment was paid, and how long after Stripe's time?

It rests on rows that are there anyway. A payment is known as paid by its transition to `succeeded`, whose `source` is the
door and whose `at` is the moment of the decision: an event that had to be tried again is as late as the try that went well.
What a read decided after a webhook had told of it counts for the webhook, by the `stripe_events` about the payment, its
charges and its Checkout Sessions. `payments.paid_at` is Stripe's time, unless its only evidence is a read of ours (rank 3),
or a charge that was a hold first (rank 2 is the hold's time then): such a payment is counted and has no lateness yet.

Left out are foreign payments, what was paid before the day from which everything counts, and what Stripe had before our
first sign of life unless a webhook told it: to find that later is not to be late. An event that a sweep brought first keeps
that source, whatever a webhook brings afterwards.

For metrics: `told_since` gives the single payments in the order in which they became known, so that a histogram may be fed
with those after the last `known_at`; `core.lateness.measure` makes gauges of them, for a stretch of time that moves on.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, false, select

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

# Of the newest rows of the audit trail so many are looked at, whatever stretch of time is asked for: some 8,000 payments.
ROWS_MAX: Final = 50_000
_AT_ONCE: Final = 500
_CHARGE, _READ = 2, 3
_ABOUT: Final = (ReferenceKind.CHARGE.value, ReferenceKind.CHECKOUT_SESSION.value)


class Heard(NamedTuple):
    """The payments that became known as paid after a moment, oldest first; a later one than asked for if they are too many."""

    after: datetime
    payments: tuple[Told, ...]


def told_since(
    tx: Tx, after: datetime, *, counts_from: datetime | None, rows_max: int = ROWS_MAX
) -> Heard:
    """Who told first of each payment that became known as paid after a moment; `counts_from` is `[matching] since`."""
    after = _within_reach(tx, after, rows_max)
    column = transitions.c.at
    found = _known(tx, _paid().where(column > after).order_by(column, transitions.c.id))
    begun = _begun(tx)
    judged = [
        each
        for each in _judged(tx, found)
        if _counts(each.source, found[each.payment_id].paid_at, counts_from, begun)
    ]
    return Heard(after, tuple(judged))


def told_of(tx: Tx, payment_ids: Sequence[str]) -> list[Told]:
    """Who told first of these payments, at most a few hundred, as far as they are paid, whenever that was."""
    mine = transitions.c.subject_id.in_(sorted(payment_ids))
    return _judged(tx, _known(tx, _paid().where(mine).order_by(transitions.c.id)))


class _Known(NamedTuple):
    source: Source
    known_at: datetime
    paid_at: datetime
    is_dated: bool


def _paid() -> Select[Any]:
    column, payment = transitions.c, payments.c
    return (
        select(
            column.subject_id,
            column.source,
            column.at,
            column.old,
            payment.paid_at,
            payment.paid_rank,
        )
        .join(payments, payment.id == column.subject_id)
        .where(column.subject_kind == "payment", column.field == "status", column.new == SUCCEEDED)
        .where(payment.is_foreign == false(), payment.paid_at.is_not(None))
    )


def _known(tx: Tx, asked: Select[Any]) -> dict[str, _Known]:
    found: dict[str, _Known] = {}
    for id_, source, at, old, paid_at, rank in tx.execute(asked):
        was_held = old == PaymentStatus.REQUIRES_CAPTURE and rank == _CHARGE
        known = _Known(Source(source), at, paid_at, is_dated=rank != _READ and not was_held)
        found.setdefault(id_, known)
    return found


def _within_reach(tx: Tx, after: datetime, rows_max: int) -> datetime:
    column = transitions.c.at
    newest = select(column).where(column > after).order_by(column.desc())
    return tx.scalar(newest.offset(rows_max).limit(1)) or after


def _begun(tx: Tx) -> datetime | None:
    """Our first sign of life; runs are forgotten after a month, and the audit trail never is."""
    runs = select(sweep_runs.c.started_at).order_by(sweep_runs.c.id).limit(1)
    trail = select(transitions.c.at).order_by(transitions.c.at).limit(1)
    return min((at for at in (tx.scalar(runs), tx.scalar(trail)) if at is not None), default=None)


def _counts(
    source: Source, paid_at: datetime, counts_from: datetime | None, begun: datetime | None
) -> bool:
    if counts_from is not None and paid_at < counts_from:
        return False
    return source is Source.WEBHOOK or begun is None or paid_at >= begun


def _judged(tx: Tx, found: Mapping[str, _Known]) -> list[Told]:
    swept = [id_ for id_, each in found.items() if each.source is Source.POLL]
    brought: dict[str, list[Delivery]] = {}
    for start in range(0, len(swept), _AT_ONCE):
        brought |= _brought(tx, swept[start : start + _AT_ONCE])
    return [
        told(
            Paid(
                payment_id=id_,
                source=each.source,
                known_at=each.known_at,
                paid_at=each.paid_at if each.is_dated else None,
            ),
            brought.get(id_, ()),
        )
        for id_, each in found.items()
    ]


def _brought(tx: Tx, payment_ids: Sequence[str]) -> dict[str, list[Delivery]]:
    """The events about each payment that came by webhook."""
    name, event = payment_references.c, stripe_events.c
    columns = (event.type, event.created, event.received_at)
    by_webhook = event.source == Source.WEBHOOK.value
    of_itself = select(event.object_id, *columns).where(
        event.object_id.in_(payment_ids), by_webhook
    )
    of_its_own = (
        select(name.payment_id, *columns)
        .join(stripe_events, event.object_id == name.value)
        .where(name.payment_id.in_(payment_ids), name.kind.in_(_ABOUT), by_webhook)
    )
    found: dict[str, list[Delivery]] = {}
    for asked in (of_itself, of_its_own):
        for id_, type_, created_at, received_at in tx.execute(asked):
            delivery = Delivery(type=type_, created_at=created_at, received_at=received_at)
            found.setdefault(id_, []).append(delivery)
    return found
