"""What does the report on a run say?

It is made anew from our rows each time that somebody asks, but for a run that was signed: that one says what it said then.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from reconciler.core.drift import Drift
from reconciler.core.report import (
    LedgerDay,
    ListCount,
    Outcome,
    PaymentLine,
    PayoutLine,
    Report,
    ReturnLine,
    RunHead,
    SalesDay,
    SignedChange,
)
from reconciler.core.schedule import Window
from reconciler.core.signed import Item, as_signed, as_signed_return
from reconciler.db import lines, questions, runs, signing
from reconciler.db.runs import Slice
from reconciler.db.session import Database
from reconciler.reconcile.changes import changed_since_signed
from reconciler.reconcile.gone import ACCEPTED, OTHER_AMOUNT
from reconciler.reconcile.stretches import LISTS, unread
from reconciler.reconcile.telling import TOLD
from reconciler.reconcile.totals import Balance, Covered, covered_by, ledger_days, sales_days

L = TypeVar("L", PaymentLine, ReturnLine)

# A report is read by people: so many changes of signed days are none that somebody looks at one by one.
CHANGES_MAX: Final = 20_000


class NoSuchRun(LookupError):  # noqa: N818 - it names what is asked for
    """There is no run with this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a run keeps of itself when it ends; if it is signed, that is what was signed."""

    lists: tuple[ListCount, ...] = ()
    counts: tuple[tuple[Drift, Outcome, int], ...] = ()
    ledger: tuple[LedgerDay, ...] = ()
    sales: tuple[SalesDay, ...] = ()
    payouts: tuple[PayoutLine, ...] = ()
    changed: tuple[SignedChange, ...] = ()
    questions: int = 0


def totals_of(db: Database, run_id: int, closing: Mapping[str, int] | None = None) -> str:
    """The totals of a run as JSON, made now; `closing` is the balance at its end where its row does not tell it yet."""
    return msgspec.json.encode(_made_now(db, head_of(db, run_id), closing)).decode()


def keep_totals(db: Database, run_id: int, closing: Mapping[str, int] | None) -> None:
    """Keep the totals of a run that comes to its end; `closing` is the balance that was read for it."""
    text = totals_of(db, run_id, closing)
    with db.writing() as tx:
        signing.keep_totals(tx, run_id, text)


def totals_in(text: str) -> Totals:
    """The totals that `totals_of` wrote."""
    return msgspec.json.decode(text, type=Totals)


def report_of(db: Database, run_id: int, *, now: datetime) -> Report:
    """The whole report on a run. Raises NoSuchRun."""
    head = head_of(db, run_id)
    covered = covered_by(head)
    with db.reading() as tx:
        kept = signing.totals(tx, run_id)
    is_frozen = bool(head.signed_by) and kept is not None
    totals = totals_in(kept) if is_frozen and kept else _made_now(db, head, None)
    report = Report(
        head=head,
        made_at=now,
        lists=totals.lists,
        differences_by_kind=totals.counts,
        ledger=totals.ledger,
        sales=totals.sales,
        payouts=totals.payouts,
        changed_since_signed=totals.changed,
        open_questions=totals.questions,
        differences=lambda: runs.differences(db, run_id),
    )
    if covered is None:
        return report
    return (
        _with_signed_lines(report, db, covered) if is_frozen else _with_lines(report, db, covered)
    )


def head_of(db: Database, run_id: int) -> RunHead:
    """The row of a run. Raises NoSuchRun."""
    with db.reading() as tx:
        found = runs.head(tx, run_id)
    if found is None:
        raise NoSuchRun(f"there is no run {run_id}")
    return found


def _made_now(db: Database, head: RunHead, closing: Mapping[str, int] | None) -> Totals:
    covered = covered_by(head)
    with db.reading() as tx:
        slices = runs.slices(tx, head.id)
        counts = tuple(runs.count_differences(tx, head.id))
        balance = Balance(
            closing=closing if closing is not None else signing.closing(tx, head.id),
            slices=slices,
            accepted=runs.subjects(tx, head.id, *ACCEPTED),
            other=runs.subjects(tx, head.id, *OTHER_AMOUNT),
        )
        asked = questions.count(tx, covered.window, but=TOLD) if covered is not None else 0
    if covered is None:
        return Totals(counts=counts)
    return Totals(
        lists=tuple(_list_counts(slices, covered.window)),
        counts=counts,
        ledger=ledger_days(db, covered, balance),
        sales=sales_days(db, covered),
        payouts=tuple(lines.payout_lines(db, covered.window, covered.days.zone)),
        changed=tuple(_first(changed_since_signed(db, covered.days, head.id))),
        questions=asked,
    )


def _list_counts(slices: Sequence[Slice], window: Window) -> Iterator[ListCount]:
    for listing in LISTS:
        mine = [each for each in slices if each.list == listing.name]
        yield ListCount(
            name=listing.name,
            at_stripe=sum(each.at_stripe for each in mine),
            here=sum(each.here for each in mine),
            left_alone=sum(each.left_alone for each in mine),
            gap=sum(each.gap for each in mine),
            is_complete=not unread(window, (each.window for each in mine)),
        )


def _first(changes: Iterable[SignedChange]) -> Iterator[SignedChange]:
    """At most CHANGES_MAX of them, and a last one that says that there are more."""
    for number, each in enumerate(changes):
        if number == CHANGES_MAX:
            words = f"there are more than {CHANGES_MAX} changes: these are the first"
            yield replace(each, object_id="", before="", after="", cause=words, difference_minor=0)
            return
        yield each


def _with_lines(report: Report, db: Database, covered: Covered) -> Report:
    window, zone = covered.window, covered.days.zone
    return replace(
        report,
        payments=lambda: lines.payment_lines(db, window, zone),
        refunds=lambda: lines.refund_lines(db, window, zone),
        disputes=lambda: lines.dispute_lines(db, window, zone),
    )


def _with_signed_lines(report: Report, db: Database, covered: Covered) -> Report:
    """The lines as they were signed, in the order of their ids."""
    zone = covered.days.zone

    def signed(
        read: Callable[[list[str]], Mapping[str, L]], as_was: Callable[[L, Item], L]
    ) -> Iterator[L]:
        for page in signing.items(db, report.head.id, covered.days.first, covered.days.last):
            found = read([each.object_id for each in page])
            yield from (as_was(found[e.object_id], e) for e in page if e.object_id in found)

    def payments(ids: list[str]) -> Mapping[str, PaymentLine]:
        with db.reading() as tx:
            return lines.payments_of(tx, ids, zone, only_sales=False)

    def refunds(ids: list[str]) -> Mapping[str, ReturnLine]:
        with db.reading() as tx:
            return lines.refunds_of(tx, ids, zone)

    def disputes(ids: list[str]) -> Mapping[str, ReturnLine]:
        with db.reading() as tx:
            return lines.disputes_of(tx, ids, zone)

    return replace(
        report,
        payments=lambda: signed(payments, as_signed),
        refunds=lambda: signed(refunds, as_signed_return),
        disputes=lambda: signed(disputes, as_signed_return),
    )
