"""What do the two books of the account say, whatever anybody has heard of it?

Told from the final objects, on purpose in another way than ours: what a movement is for is told by the object that it moved for
and by its direction, never by its `reporting_category`, and what payers were charged by what was written down when the money
moved, never by a rate. The *ledger* is in settlement currencies, the *sales* are in the currencies in which payers paid; the
two are never added up (https://docs.stripe.com/reports/balance-transaction-types).
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import TypeAlias

from reconciler.simulator.world import Json, World

Line: TypeAlias = tuple[str, date]

# For what money moved, by the object that it moved for: as it comes, and as it leaves.
_GROUPS = {
    "charge": ("charges", "charges"),
    "refund": ("refund_failures", "refunds"),
    "dispute": ("disputes", "disputes"),
    "payout": ("payouts", "payouts"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTruth:
    """One day of the balance in one currency, in its minor units; groups with their sign, before the fees that stand apart."""

    opening: int
    closing: int
    transactions: int
    groups: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesTruth:
    """One day of what payers paid and got back, in minor units of the currency in which they paid.

    What is captured in parts is received part by part, each on its day, and counts as a payment on the day of the first. A
    refund that failed has gone back to nobody: on the day of its failure it counts as taken back, and so does a dispute's
    amount on the day on which it comes back.
    """

    payments: frozenset[str]
    received: int
    refunds: frozenset[str]
    refunded: int
    disputed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutTruth:
    """What is in one payout: balance transactions, its own not among them, the PaymentIntents of its charges, and the sum."""

    transactions: frozenset[str]
    payments: frozenset[str]
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Both books over some days, by currency and day, for every day on which anything moved."""

    ledger: dict[Line, LedgerTruth]
    sales: dict[Line, SalesTruth]


@dataclass(slots=True)
class _Sales:
    payments: set[str] = field(default_factory=set)
    refunds: set[str] = field(default_factory=set)
    sums: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class _Days:
    """The days from `first` to `last` of a zone, each from its first instant until before that of the next."""

    def __init__(self, first: date, last: date, zone: tzinfo) -> None:
        count = (last - first).days + 1
        self._days = [first + timedelta(days=each) for each in range(count + 1)]
        self._begin_s = [_midnight_s(each, zone) for each in self._days]

    def of(self, at_s: int) -> date | None:
        """The day of a moment; None where it is none of them."""
        place = bisect_right(self._begin_s, at_s)
        return self._days[place - 1] if 0 < place < len(self._days) else None


def books_of(world: World, first: date, last: date, zone: tzinfo) -> Books:
    """Tell both books of some days, both ends included, as things stand now."""
    days = _Days(first, last, zone)
    with world.lock:
        moved = world.rows("balance_transaction")[::-1]
        return Books(ledger=_ledger(world, moved, days), sales=_sales(world, moved, days))


def payouts_of(world: World) -> dict[str, PayoutTruth]:
    """Tell what is in every automatic payout whose composition is known."""
    with world.lock:
        told = [
            each for each in world.rows("payout") if each["reconciliation_status"] == "completed"
        ]
        return {each["id"]: _composition(world, each) for each in told}


def _midnight_s(day: date, zone: tzinfo) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def _ledger(world: World, moved: list[Json], days: _Days) -> dict[Line, LedgerTruth]:
    """Go through all that moved, oldest first, with one running balance a currency."""
    balance: dict[str, int] = defaultdict(int)
    opening: dict[Line, int] = {}
    groups: dict[Line, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    count: dict[Line, int] = defaultdict(int)
    closing: dict[Line, int] = {}
    for each in moved:
        currency, day = each["currency"], days.of(each["created"])
        if day is not None:
            line = (currency, day)
            opening.setdefault(line, balance[currency])
            count[line] += 1
            groups[line][_group(world, each)] += each["amount"]
            groups[line]["fees"] -= each["fee"]
            closing[line] = balance[currency] + each["net"]
        balance[currency] += each["net"]
    return {
        line: LedgerTruth(
            opening=opening[line],
            closing=closing[line],
            transactions=count[line],
            groups={name: amount for name, amount in groups[line].items() if amount},
        )
        for line in count
    }


def _group(world: World, moved: Json) -> str:
    if moved["source"] is None:
        return "other"
    comes, leaves = _GROUPS[world.get(moved["source"])["object"]]
    return comes if moved["amount"] > 0 else leaves


def _sales(world: World, moved: list[Json], days: _Days) -> dict[Line, SalesTruth]:
    found: dict[Line | None, _Sales] = defaultdict(_Sales)
    begun: set[str] = set()
    for each in moved:
        if each["id"] not in world.presented:
            continue
        amount, currency = world.presented[each["id"]]
        day = days.of(each["created"])
        source = world.get(each["source"])
        page = found[(currency, day) if day else None]
        page.sums[source["object"]] += amount
        if source["object"] == "charge" and source["payment_intent"] not in begun:
            begun.add(source["payment_intent"])
            page.payments.add(source["payment_intent"])
        if source["object"] == "refund" and amount < 0:
            page.refunds.add(source["id"])
    return {
        line: SalesTruth(
            payments=frozenset(page.payments),
            received=page.sums["charge"],
            refunds=frozenset(page.refunds),
            refunded=-page.sums["refund"],
            disputed=-page.sums["dispute"],
        )
        for line, page in found.items()
        if line is not None
    }


def _composition(world: World, payout: Json) -> PayoutTruth:
    within = [
        each
        for each in world.rows("balance_transaction")
        if each.get("paid_in") == payout["id"] and each["id"] != payout["balance_transaction"]
    ]
    sources = [world.get(each["source"]) for each in within]
    return PayoutTruth(
        transactions=frozenset(each["id"] for each in within),
        payments=frozenset(
            each["payment_intent"] for each in sources if each["object"] == "charge"
        ),
        held=sum(each["net"] for each in within),
    )
