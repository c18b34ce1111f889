"""What do a run's two books add up to, day by day?

The ledger's day is told by groups of `reporting_category` (https://docs.stripe.com/reports/reporting-categories), and ties out
where Stripe's own list of that day has as many transactions with the same sum. What Stripe does not know and a person has accepted
is left out of it, and told apart. Both books are made anew from our rows each time; what a run kept of them when it ended is
what is signed.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from reconciler.core.calendar import DayRange
from reconciler.core.observation import ms
from reconciler.core.report import LedgerDay, RunHead, SalesDay
from reconciler.core.schedule import Window
from reconciler.db import books
from reconciler.db.books import Moved, Sold
from reconciler.db.runs import Slice
from reconciler.db.session import Database, Tx

LEDGER_LIST: Final = "balance_transactions"

# What is not captured of a hold comes back as a transaction of its own, and a bank debit that fails is no payment: with
# them `charges` is what was really charged. What Stripe takes for itself, for networks and as tax on it, is a fee.
_GROUPS: Final[Mapping[str, str]] = {
    "charge": "charges",
    "charge_failure": "charges",
    "partial_capture_reversal": "charges",
    "refund": "refunds",
    "refund_failure": "refund_failures",
    "dispute": "disputes",
    "dispute_reversal": "disputes",
    "fee": "fees",
    "network_cost": "fees",
    "tax": "fees",
    "payout": "payouts",
    "payout_reversal": "payouts",
}
_OTHER: Final = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What a run looks at: its days, and the part of them that was over at Stripe."""

    days: DayRange
    window: Window

    @property
    def by_day(self) -> Iterator[tuple[date, Window]]:
        """Each day that was looked at, with the part of it that was."""
        for day in self.days.days:
            whole = self.days.window_of(day)
            since_ms = max(whole.since_ms, self.window.since_ms)
            until_ms = min(whole.until_ms, self.window.until_ms)
            if since_ms < until_ms:
                yield day, Window(since_ms, until_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What Stripe says of the ledger: the balance when the covered window ends, if that is known, and its list in stretches.

    `accepted` are the ids of ours of which a person has said why Stripe does not know them, `other` of those that are worth
    something else at Stripe.
    """

    closing: Mapping[str, int] | None
    slices: Sequence[Slice] = ()
    accepted: Collection[str] = ()
    other: Collection[str] = ()


def covered_by(head: RunHead) -> Covered | None:
    """What a run looks at; None before that was fixed."""
    if head.covered_from is None or head.covered_until is None:
        return None
    return Covered(
        days=DayRange(first=head.first_day, last=head.last_day, zone=ZoneInfo(head.zone)),
        window=Window(ms(head.covered_from), ms(head.covered_until)),
    )


def ledger_days(db: Database, covered: Covered, balance: Balance) -> tuple[LedgerDay, ...]:
    """The ledger by currency and day, where something moved here or at Stripe; read in a transaction a day."""
    found: dict[tuple[str, date], list[Moved]] = defaultdict(list)
    left_out: dict[tuple[str, date], list[Moved]] = defaultdict(list)
    broken = set[date]()
    for day, window in covered.by_day:
        with db.reading() as tx:
            for each in books.ledger_sums(tx, window):
                found[each.currency, day].append(each)
            for each in _of_these(tx, window, balance.accepted):
                left_out[each.currency, day].append(each)
            if _of_these(tx, window, balance.other):
                broken.add(day)
    listed = _listed(balance.slices)
    gaps = [each.window for each in balance.slices if each.list == LEDGER_LIST and each.gap]
    broken |= {day for day, window in covered.by_day if any(_meet(window, gap) for gap in gaps)}
    days = {
        key: _tied(
            _ledger_day(*key, found.get(key, ()), left_out.get(key, ())),
            listed.get(key, (0, 0)),
            broken,
        )
        for key in found.keys() | listed.keys()
    }
    return tuple(_with_balances(days, balance.closing, by_list=bool(listed)))


def sales_days(db: Database, covered: Covered) -> tuple[SalesDay, ...]:
    """The sales by currency and day; read in a transaction a day."""
    found: dict[tuple[str, date], SalesDay] = {}
    for day, window in covered.by_day:
        with db.reading() as tx:
            parts = books.sales_sums(tx, window)
        for each in parts:
            key = each.currency, day
            found[key] = _joined(found.get(key) or SalesDay(currency=each.currency, day=day), each)
    return tuple(found[key] for key in sorted(found))


def _of_these(tx: Tx, window: Window, ids: Collection[str]) -> list[Moved]:
    return books.ledger_sums(tx, window, only=ids) if ids else []


def _less(part: Moved) -> Moved:
    """What takes a part away again."""
    sums = (part.transactions, part.amount_minor, part.fee_minor, part.net_minor)
    return Moved(part.currency, part.category, *(-each for each in sums))


def _ledger_day(
    currency: str, day: date, parts: Iterable[Moved], left_out: Sequence[Moved]
) -> LedgerDay:
    groups: Counter[str] = Counter()
    transactions = 0
    for each in (*parts, *map(_less, left_out)):
        groups[_GROUPS.get(each.category, _OTHER)] += each.amount_minor
        groups["fees"] -= each.fee_minor
        # Stripe says that net is amount less fee; if it ever is not, the day must add up all the same.
        groups[_OTHER] += each.net_minor - (each.amount_minor - each.fee_minor)
        transactions += each.transactions
    return LedgerDay(
        currency=currency,
        day=day,
        opening_minor=None,
        charges_minor=groups["charges"],
        refunds_minor=groups["refunds"],
        refund_failures_minor=groups["refund_failures"],
        disputes_minor=groups["disputes"],
        fees_minor=groups["fees"],
        payouts_minor=groups["payouts"],
        other_minor=groups[_OTHER],
        closing_minor=None,
        transactions=transactions,
        not_at_stripe_minor=sum(each.net_minor for each in left_out),
    )


def _tied(day: LedgerDay, listed: tuple[int, int], broken: set[date]) -> LedgerDay:
    is_same = (day.transactions, day.net_minor) == listed
    return replace(day, stripe_net_minor=listed[1], ties_out=is_same and day.day not in broken)


def _with_balances(
    days: Mapping[tuple[str, date], LedgerDay], closing: Mapping[str, int] | None, *, by_list: bool
) -> Iterator[LedgerDay]:
    """Each day with what stood on the balance before and after it: the last closing is known, and it is counted back.

    By Stripe's own list where it was read: before a run has booked what was missing, our sums would tell another balance.
    """
    left = dict(closing or {})
    done: list[LedgerDay] = []
    for key in sorted(days, reverse=True):
        day, currency = days[key], key[0]
        # A currency of which Stripe's balance says nothing holds nothing.
        after = None if closing is None else left.get(currency, 0)
        moved = day.stripe_net_minor if by_list else day.net_minor
        before = None if after is None else after - moved
        if before is not None:
            left[currency] = before
        done.append(replace(day, opening_minor=before, closing_minor=after))
    yield from reversed(done)


def _listed(slices: Iterable[Slice]) -> dict[tuple[str, date], tuple[int, int]]:
    """What Stripe's list says of each currency and day: how many transactions, and their net sum."""
    found: dict[tuple[str, date], tuple[int, int]] = {}
    for each in slices:
        if each.list != LEDGER_LIST:
            continue
        for day, currencies in each.sums.items():
            for currency, (count, net) in currencies.items():
                key = currency, date.fromisoformat(day)
                had = found.get(key, (0, 0))
                found[key] = had[0] + count, had[1] + net
    return found


def _meet(one: Window, other: Window) -> bool:
    return one.since_ms < other.until_ms and other.since_ms < one.until_ms


def _joined(day: SalesDay, part: Sold) -> SalesDay:
    return replace(
        day,
        payments=day.payments + part.payments,
        received_minor=day.received_minor + part.received_minor,
        refunds=day.refunds + part.refunds,
        refunded_minor=day.refunded_minor + part.refunded_minor,
        disputed_minor=day.disputed_minor + part.disputed_minor,
    )
