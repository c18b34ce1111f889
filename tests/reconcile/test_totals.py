"""Do both books add up, day by day, in every zone, and to what Stripe's own list says?"""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core.calendar import DayRange
from reconciler.core.observation import TransactionSeen
from reconciler.core.report import LedgerDay
from reconciler.core.schedule import HOUR_MS, Window
from reconciler.db import tables
from reconciler.db.runs import Slice
from reconciler.db.session import Database
from reconciler.reconcile.totals import Balance, Covered, ledger_days, sales_days
from tests.core import builders as b
from tests.reconcile.accounts import as_here, days, money, on, sale, tell

CATEGORIES = (
    "charge",
    "charge_failure",
    "partial_capture_reversal",
    "refund",
    "refund_failure",
    "dispute",
)
OTHERS = ("dispute_reversal", "fee", "network_cost", "payout", "payout_reversal", "topup", "")


def _covered(asked: DayRange, until_ms: int | None = None) -> Covered:
    return Covered(
        days=asked, window=Window(asked.window.since_ms, until_ms or asked.window.until_ms)
    )


def _ledger(
    database: Database, covered: Covered, closing: dict[str, int] | None
) -> tuple[LedgerDay, ...]:
    balance = Balance(closing=closing, slices=as_here(database, covered))
    return ledger_days(database, covered, balance)


GROUPS = [
    ("charge", {"charges_minor": 1000, "fees_minor": -59}),
    ("charge_failure", {"charges_minor": 1000, "fees_minor": -59}),
    ("partial_capture_reversal", {"charges_minor": 1000, "fees_minor": -59}),
    ("refund", {"refunds_minor": 1000, "fees_minor": -59}),
    ("refund_failure", {"refund_failures_minor": 1000, "fees_minor": -59}),
    ("dispute", {"disputes_minor": 1000, "fees_minor": -59}),
    ("dispute_reversal", {"disputes_minor": 1000, "fees_minor": -59}),
    ("fee", {"fees_minor": 941}),
    ("network_cost", {"fees_minor": 941}),
    ("tax", {"fees_minor": 941}),
    ("payout", {"payouts_minor": 1000, "fees_minor": -59}),
    ("payout_reversal", {"payouts_minor": 1000, "fees_minor": -59}),
    ("of_next_year", {"other_minor": 1000, "fees_minor": -59}),
    ("", {"other_minor": 1000, "fees_minor": -59}),
]


@pytest.mark.parametrize(("category", "groups"), GROUPS)
def test_it_tells_a_day_by_groups(
    database: Database, category: str, groups: dict[str, int]
) -> None:
    """Each category has one place; what Stripe takes out of any of them is a fee, and the day adds up to its net."""
    tell(database, money(1, 1000, on(2), category=category))

    (day,) = _ledger(database, _covered(days(3)), {"eur": 5000})

    told = {f: getattr(day, f) for f in ("charges_minor", "refunds_minor", "refund_failures_minor", "disputes_minor",
                                         "fees_minor", "payouts_minor", "other_minor") if getattr(day, f)}  # fmt: skip
    assert told == groups
    assert (day.opening_minor, day.net_minor, day.closing_minor) == (4059, 941, 5000)
    assert day.ties_out


def test_it_adds_up_though_a_net_should_not(database: Database) -> None:
    """A net that is not amount less fee leaves its rest in `other`: the day is worth what its nets are worth."""
    tell(database, replace(money(1, 1000, on(2), fee_minor=100), net_minor=850))

    (day,) = _ledger(database, _covered(days(3)), None)

    assert (day.charges_minor, day.fees_minor, day.other_minor, day.net_minor) == (
        1000,
        -100,
        -50,
        850,
    )
    assert (day.opening_minor, day.closing_minor) == (None, None)


def test_it_ends_where_the_run_ends(database: Database) -> None:
    """What moves later on the last day belongs to no run yet: the day is told as far as it was looked at."""
    tell(database, *(money(hour, 1000, on(2, hour), fee_minor=0) for hour in (8, 20)))

    (day,) = _ledger(database, _covered(days(2), on(2, 12)), {"eur": 1000})

    assert (day.opening_minor, day.charges_minor, day.closing_minor) == (0, 1000, 1000)


def _slice(sums: dict[str, dict[str, tuple[int, int]]], *, gap: int = 0, day: int = 2) -> Slice:
    window = Window(on(day, 0), on(day + 1, 0))
    return Slice(list="balance_transactions", window=window, sums=sums, gap=gap)


def _sums(count: int, net: int, day: str = "2026-03-02") -> dict[str, dict[str, tuple[int, int]]]:
    return {day: {"eur": (count, net)}}


@pytest.mark.parametrize(
    ("slices", "is_tied"),
    [
        ([_slice(_sums(2, 1000))], True),
        ([_slice(_sums(1, 600)), _slice(_sums(1, 400))], True),
        ([_slice(_sums(1, 1000))], False),
        ([_slice(_sums(2, 1001))], False),
        ([_slice(_sums(2, 1000), gap=1)], False),
        ([_slice(_sums(2, 1000)), _slice({}, gap=1, day=3)], True),
        ([_slice(_sums(2, 1000)), replace(_slice({}, gap=1), list="refunds")], True),
        ([], False),
    ],
)
def test_it_ties_out_with_stripes_own_list(
    database: Database, slices: list[Slice], is_tied: bool
) -> None:
    """A day ties out where Stripe lists as many transactions with the same net, and no id is on one side only."""
    tell(database, money(1, 600, on(2), fee_minor=0), money(2, 400, on(2), fee_minor=0))
    covered = _covered(days(4))

    (day,) = ledger_days(database, covered, Balance(closing=None, slices=slices))

    assert (day.ties_out, day.net_minor) == (is_tied, 1000)


def test_it_tells_a_day_that_only_stripe_has(database: Database) -> None:
    """Of money that is not known here the day is there, empty, and does not tie out."""
    slices = [_slice({"2026-03-02": {"usd": (3, 77)}})]

    (day,) = ledger_days(database, _covered(days(4)), Balance(closing={}, slices=slices))

    assert (day.currency, day.transactions, day.stripe_net_minor, day.ties_out) == (
        "usd",
        0,
        77,
        False,
    )


ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "America/Santiago",
)
moments = st.integers(on(-2, 0) // 1000, on(40, 0) // 1000).map(lambda at_s: at_s * 1000)
moved = st.builds(
    lambda at_ms, amount, fee, category, currency: b.transaction(
        amount, created_ms=at_ms, fee_minor=fee, net_minor=amount - fee, category=category,
        currency=currency, source="",
    ),
    moments, st.integers(-10**9, 10**9), st.integers(-100, 100), st.sampled_from(CATEGORIES + OTHERS),
    st.sampled_from(["eur", "usd"]),
)  # fmt: skip


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    seen=st.lists(moved, max_size=30),
    zone=st.sampled_from(ZONES),
    first=st.integers(1, 30),
    length=st.integers(1, 12),
    closing=st.none() | st.fixed_dictionaries({"eur": st.integers(-(10**9), 10**9)}),
)
def test_it_loses_and_invents_nothing(
    database: Database,
    seen: list[TransactionSeen],
    zone: str,
    first: int,
    length: int,
    closing: dict[str, int] | None,
) -> None:
    """Whatever moves, the days of a range add up to all of it, and what a day closes with the next one opens with."""
    with database.writing() as tx:
        tx.execute(tables.balance_transactions.delete())
    tell(database, *(replace(each, id=f"txn_{n}") for n, each in enumerate(seen)))
    covered = _covered(days(first + length, first=first, zone=zone))

    ledger = _ledger(database, covered, closing)

    inside = [e for e in seen if covered.window.since_ms <= e.created_ms < covered.window.until_ms]
    sums: Counter[str] = Counter()
    for each in inside:
        sums[each.currency] += each.net_minor
    told = {c: sum(day.net_minor for day in ledger if day.currency == c) for c in sums}
    assert told == dict(sums)
    assert sum(day.transactions for day in ledger) == len(inside)
    assert all(day.ties_out for day in ledger)
    for currency in sums:
        mine = [day for day in ledger if day.currency == currency]
        for one, other in itertools.pairwise(mine):
            assert one.closing_minor == other.opening_minor
        known = None if closing is None else closing.get(currency, 0)
        assert mine[-1].closing_minor == known
        if known is not None:
            assert all(d.closing_minor == (d.opening_minor or 0) + d.net_minor for d in mine)


@pytest.mark.parametrize("zone", ZONES)
def test_it_puts_every_hour_into_one_day(database: Database, zone: str) -> None:
    """A payment an hour through a month in which clocks change: no hour is in two days, and none is in no day."""
    asked = days(31, zone=zone)
    hours = range(asked.window.since_ms - 2 * HOUR_MS, asked.window.until_ms + 2 * HOUR_MS, HOUR_MS)
    for start in range(0, len(hours), 60):
        some = [
            p for n, at_ms in enumerate(hours[start : start + 60], start) for p in sale(n, 1, at_ms)
        ]
        tell(database, *some)

    sold = sales_days(database, _covered(asked))

    by_day = {each.day: each.payments for each in sold}
    length = (asked.window.until_ms - asked.window.since_ms) // HOUR_MS
    assert sum(by_day.values()) == length
    assert len(by_day) == 31
    assert set(by_day.values()) <= {23, 24, 25}


def test_it_sells_in_the_payers_currency_and_settles_in_another(database: Database) -> None:
    """Both books are told apart: the same payment is dollars of sales and euros on the balance."""
    tell(
        database, *sale(1, 1000, on(2), currency="usd"), money(1, 920, on(2), exchange_rate="0.92")
    )
    covered = _covered(days(3))

    (sold,) = sales_days(database, covered)
    (day,) = _ledger(database, covered, None)

    assert (sold.currency, sold.received_minor, sold.day) == ("usd", 1000, date(2026, 3, 2))
    assert (day.currency, day.charges_minor) == ("eur", 920)
