"""What do the days of a book add up to, a currency at a time?

Never across currencies, and never across the two books. A range of more days than a month has is shown by months.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Final, Generic, TypeVar

from reconciler.core.report import LedgerDay, Report, SalesDay

DAYS_SHOWN: Final = 31

Line = TypeVar("Line", LedgerDay, SalesDay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book(Generic[Line]):
    """One book in one currency: its days, the same by the spans that are shown (days or months), and the sum of all."""

    currency: str
    days: Sequence[Line]
    spans: Sequence[Line]
    total: Line


def by_months(report: Report) -> bool:
    """Whether the range is too long for a line a day."""
    return (report.head.last_day - report.head.first_day).days >= DAYS_SHOWN


def ledgers(report: Report) -> Iterator[Book[LedgerDay]]:
    """The ledger, by currency."""
    return _books(report.ledger, sum_of_ledger, months=by_months(report))


def sales(report: Report) -> Iterator[Book[SalesDay]]:
    """The sales, by currency."""
    return _books(report.sales, sum_of_sales, months=by_months(report))


def sum_of_ledger(days: Sequence[LedgerDay]) -> LedgerDay:
    """Days in their order as one: what the first opens with, all that moved, what the last closes with."""
    return replace(
        days[0],
        closing_minor=days[-1].closing_minor,
        charges_minor=sum(each.charges_minor for each in days),
        refunds_minor=sum(each.refunds_minor for each in days),
        refund_failures_minor=sum(each.refund_failures_minor for each in days),
        disputes_minor=sum(each.disputes_minor for each in days),
        fees_minor=sum(each.fees_minor for each in days),
        payouts_minor=sum(each.payouts_minor for each in days),
        other_minor=sum(each.other_minor for each in days),
        transactions=sum(each.transactions for each in days),
        stripe_net_minor=sum(each.stripe_net_minor for each in days),
        ties_out=all(each.ties_out for each in days),
        not_at_stripe_minor=sum(each.not_at_stripe_minor for each in days),
    )


def sum_of_sales(days: Sequence[SalesDay]) -> SalesDay:
    """Days of sales as one."""
    return replace(
        days[0],
        payments=sum(each.payments for each in days),
        received_minor=sum(each.received_minor for each in days),
        refunds=sum(each.refunds for each in days),
        refunded_minor=sum(each.refunded_minor for each in days),
        disputed_minor=sum(each.disputed_minor for each in days),
    )


def _books(
    lines: Iterable[Line], add: Callable[[Sequence[Line]], Line], *, months: bool
) -> Iterator[Book[Line]]:
    in_order = sorted(lines, key=attrgetter("currency", "day"))
    for currency, group in groupby(in_order, key=attrgetter("currency")):
        days = list(group)
        spans = [add(list(each)) for _, each in groupby(days, key=_month)] if months else days
        yield Book(currency=currency, days=days, spans=spans, total=add(days))


def _month(line: LedgerDay | SalesDay) -> tuple[int, int]:
    return line.day.year, line.day.month
