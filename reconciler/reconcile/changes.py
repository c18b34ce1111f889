"""What of the days that somebody signed is known in another way now?

Each signed object is looked up as it is now, and each object of those days that was not signed is new. What a person signed stays
as it is: the difference belongs to the day on which its money moved, or else to the period that is still open.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import Final

from reconciler.core.calendar import DayRange, day_of
from reconciler.core.observation import ms
from reconciler.core.report import RunHead, SignedChange
from reconciler.core.schedule import Window
from reconciler.core.signed import (
    Item,
    ItemKind,
    change,
    differs,
    item_of_payment,
    item_of_return,
)
from reconciler.db import lines, signing
from reconciler.db.lines import pages_of
from reconciler.db.session import Database, Tx
from reconciler.db.signing import Movement
from reconciler.reconcile.totals import Covered, covered_by

_OPEN: Final = "it belongs to the period that is open"
_LATE: Final = MappingProxyType(
    {
        ItemKind.TRANSACTION: f"late transaction; {_OPEN}",
        ItemKind.PAYMENT: f"late payment; {_OPEN}",
        ItemKind.RETURN: f"not known when these days were signed; {_OPEN}",
        None: _OPEN,
    }
)
_GONE: Final = f"it is no money of ours any more; {_OPEN}"
_SAID: Final = "what Stripe says of it has changed"


def changed_since_signed(db: Database, days: DayRange, run_id: int) -> Iterator[SignedChange]:
    """All that differs from what other runs signed of these days, run by run, the newest first; a page at a time.

    A day that was signed again is compared with the last signature.
    """
    with db.reading() as tx:
        signed = signing.signed_over(tx, days.first, days.last)
    newer: list[DayRange] = []
    for head in reversed(signed):
        covered = covered_by(head)
        if head.id == run_id or covered is None:
            continue
        again = tuple(newer)
        found = (_changed(db, head, covered, days), _new(db, head, _overlap(covered, days)))
        for each in chain.from_iterable(found):
            if not any(other.first <= each.day <= other.last for other in again):
                yield each
        newer.append(covered.days)


def items_now(db: Database, covered: Covered) -> Iterator[list[Item]]:
    """Every object of the days of a run as it is now, a page at a time."""
    window, zone = covered.window, covered.days.zone
    for moved in signing.movements(db, window):
        yield [item_of_movement(each, covered) for each in moved]
    for paid in pages_of(lines.payment_lines(db, window, zone)):
        yield [item_of_payment(each) for each in paid]
    for read in (lines.refund_lines, lines.dispute_lines):
        for gone in pages_of(read(db, window, zone)):
            yield [item_of_return(each) for each in gone]


def item_of_movement(moved: Movement, covered: Covered) -> Item:
    """A balance transaction; Stripe never changes one."""
    return Item(
        object_id=moved.id,
        day=day_of(ms(moved.created), covered.days.zone),
        currency=moved.currency,
        amount_minor=moved.net_minor,
        value=f"{moved.category or 'other'} {moved.amount_minor} {moved.currency} fee {moved.fee_minor}",
        kind=ItemKind.TRANSACTION,
    )


def _overlap(covered: Covered, days: DayRange) -> Covered:
    """The part of what was signed that lies in these days, by the zone in which it was signed."""
    first, last = max(covered.days.first, days.first), min(covered.days.last, days.last)
    both = replace(covered.days, first=first, last=last)
    since_ms = max(covered.window.since_ms, both.window.since_ms)
    until_ms = max(since_ms, min(covered.window.until_ms, both.window.until_ms))
    return Covered(days=both, window=Window(since_ms, until_ms))


def _changed(
    db: Database, head: RunHead, covered: Covered, days: DayRange
) -> Iterator[SignedChange]:
    signed_at = head.signed_at or head.asked_at
    for page in signing.items(db, head.id, days.first, days.last):
        with db.reading() as tx:
            now = _as_they_are(tx, page, covered)
            other = [each for each in page if _is_other(each, now.get(each.object_id))]
            causes = _causes(tx, other, now, signed_at, covered)
        for each in other:
            found = now.get(each.object_id)
            yield change(head.id, each, found, causes.get(each.object_id, _GONE))


def _is_other(signed: Item, now: Item | None) -> bool:
    return now is None or differs(signed, now)


def _as_they_are(tx: Tx, signed: Iterable[Item], covered: Covered) -> dict[str, Item]:
    """These objects now. A refund or dispute counts by its money, so that its day stays as it was signed."""
    days, zone = {each.object_id: each.day for each in signed}, covered.days.zone
    ids = list(days)
    now = {id_: item_of_movement(e, covered) for id_, e in signing.movements_of(tx, ids).items()}
    now |= {id_: item_of_payment(e) for id_, e in lines.payments_of(tx, ids, zone).items()}
    for read in (lines.refunds_of, lines.disputes_of):
        for id_, line in read(tx, ids, zone).items():
            now[id_] = replace(item_of_return(line), day=days[id_])
    return now


def _causes(
    tx: Tx,
    changed: Iterable[Item],
    now: Mapping[str, Item],
    signed_at: datetime,
    covered: Covered,
) -> dict[str, str]:
    there = [each.object_id for each in changed if each.object_id in now]
    learnt = signing.learnt(tx, there, signed_at)
    zone = covered.days.zone

    def words(named: str, at: datetime | None) -> str:
        return named if at is None else f"{named}, whose money moved on {day_of(ms(at), zone)}"

    return {
        id_: "; ".join(words(*each) for each in learnt[id_]) if id_ in learnt else _SAID
        for id_ in there
    }


def _new(db: Database, head: RunHead, covered: Covered) -> Iterator[SignedChange]:
    for page in items_now(db, covered):
        with db.reading() as tx:
            signed = signing.items_of(tx, head.id, [each.object_id for each in page])
        for each in page:
            if each.object_id not in signed:
                yield change(head.id, None, each, _LATE[each.kind])
