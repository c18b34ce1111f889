"""Do the simulator's two books agree with everything else that it says about its money?"""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from reconciler.simulator import payouts, returns, till
from reconciler.simulator.api.balance import balance
from reconciler.simulator.books import books_of, payouts_of
from reconciler.simulator.clock import Clock
from reconciler.simulator.month import Played, play
from reconciler.simulator.world import DAY_MS, World
from tests.journeys.months import MARCH

PARIS = ZoneInfo("Europe/Paris")
DAY = date(2025, 3, 29)


@pytest.fixture(scope="module")
def march() -> Played:
    """Give a month with 300 payments of all kinds."""
    return play(replace(MARCH, payments=300), lambda *_: 200, secret="whsec_1")


def world_at(day: date, zone: tzinfo = PARIS) -> World:
    """Begin a world at noon of a day."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return World(seed=7, clock=Clock(int(noon.timestamp()) * 1000))


def earn(world: World, amount: int, currency: str = "eur") -> str:
    """Let a card pay; returns the PaymentIntent."""
    intent = till.make_intent(world, amount=amount, currency=currency)
    till.succeed(world, intent)
    till.settle(world, intent)
    return intent


def test_it_tells_a_ledger_that_adds_up(march: Played) -> None:
    """The groups of each day, fees among them, are the net of its balance transactions and the step of the balance."""
    net: Counter[tuple[str, date]] = Counter()
    for each in march.world.rows("balance_transaction"):
        day = datetime.fromtimestamp(each["created"], PARIS).date()
        net[each["currency"], day] += each["net"]

    ledger = books_of(march.world, MARCH.first, MARCH.last, PARIS).ledger

    assert {line: sum(told.groups.values()) for line, told in ledger.items()} == net
    assert all(told.opening + sum(told.groups.values()) == told.closing for told in ledger.values())
    assert {group for told in ledger.values() for group in told.groups} == {
        *("charges", "refunds", "refund_failures", "disputes", "fees", "payouts")
    }


def test_it_hands_the_balance_on_from_day_to_day(march: Played) -> None:
    """Each day opens with what the one before closed with, and the last one closes with what Stripe says it holds."""
    ledger = books_of(march.world, MARCH.first, MARCH.last, PARIS).ledger
    days = defaultdict(list)
    for (currency, _), told in sorted(ledger.items()):
        days[currency].append(told)
    held = balance(march.world)

    closing = {currency: told[-1].closing for currency, told in days.items()}

    sums: Counter[str] = Counter()
    for each in (*held["available"], *held["pending"]):
        sums[each["currency"]] += each["amount"]
    assert closing == sums
    assert all(
        before.closing == after.opening
        for told in days.values()
        for before, after in pairwise(told)
    )


def test_it_tells_the_same_of_any_part_of_the_month(march: Played) -> None:
    """One day, asked for alone, has the same lines as among all others."""
    whole = books_of(march.world, MARCH.first, MARCH.last, PARIS)

    alone = books_of(march.world, DAY, DAY, PARIS)

    assert alone.ledger == {line: told for line, told in whole.ledger.items() if line[1] == DAY}
    assert alone.sales == {line: told for line, told in whole.sales.items() if line[1] == DAY}


def test_it_counts_what_payers_paid_in_their_currency(march: Played) -> None:
    """All sales are what was captured, and what came back is what refunds and disputes hold, in each charge currency."""
    captured: Counter[str] = Counter()
    for charge in march.world.rows("charge"):
        if charge["balance_transaction"]:
            captured[charge["currency"]] += charge["amount_captured"]
    refunded: Counter[str] = Counter()
    for refund in march.world.rows("refund"):
        if refund["balance_transaction"] and refund["status"] not in {"failed", "canceled"}:
            refunded[refund["currency"]] += refund["amount"]

    sales = books_of(march.world, MARCH.first, MARCH.last, PARIS).sales

    received, back = Counter[str](), Counter[str]()
    for (currency, _), told in sales.items():
        received[currency] += told.received
        back[currency] += told.refunded
    assert +received == captured
    assert +back == refunded
    assert set(received) == {"eur", "usd", "gbp", "jpy", "kwd"}


def test_it_tells_what_each_payout_holds(march: Played) -> None:
    """A payout is the sum of what is in it, and no money is in two of them."""
    told = payouts_of(march.world)

    within = [each for payout in told.values() for each in payout.transactions]
    assert len(within) == len(set(within))
    assert len(told) > 5
    assert all(march.world.get(id_)["amount"] == payout.held for id_, payout in told.items())
    assert any(payout.payments for payout in told.values())


def test_it_sorts_money_by_what_it_moved_for() -> None:
    """What comes and what leaves of each kind stands in its group, and all fees in theirs."""
    world = world_at(DAY)
    first, second = earn(world, 10_000), earn(world, 20_000)
    returns.fail_refund(world, returns.refund(world, first, 3_000))
    returns.refund(world, first, 1_000)
    returns.reinstate(world, returns.dispute(world, second))
    returns.dispute(world, second)

    told = books_of(world, DAY, DAY, PARIS).ledger["eur", DAY]

    assert told.groups == {
        "charges": 30_000,
        "refunds": -4_000,
        "refund_failures": 3_000,
        "disputes": -20_000,
        # 1.5 % and 25 cents of each payment, and 20 euro a dispute.
        "fees": -(175 + 325 + 2 * 2_000),
    }
    assert (told.opening, told.closing, told.transactions) == (0, 4_500, 8)


def test_it_puts_payouts_that_come_back_beside_those_that_leave() -> None:
    """Money that the bank sends back stands against the payout, on the day on which it comes back."""
    world = world_at(DAY)
    earn(world, 10_000)
    world.clock.advance(2 * DAY_MS)
    (payout,) = payouts.pay_out(world)
    payouts.arrive(world, payout)
    world.clock.advance(DAY_MS)
    payouts.fail(world, payout)

    ledger = books_of(world, DAY, date(2025, 4, 2), PARIS).ledger

    out, back = (ledger["eur", DAY + timedelta(days=each)] for each in (2, 3))
    assert (out.groups, out.opening, out.closing) == ({"payouts": -9_825}, 9_825, 0)
    assert (back.groups, back.opening, back.closing) == ({"payouts": 9_825}, 0, 9_825)


def test_it_counts_money_on_the_day_on_which_it_moved() -> None:
    """A day ends at midnight of the zone, also in the night in which clocks go forward; the next second is the next day's."""
    world = world_at(date(2025, 3, 28))
    sunday = int(datetime(2025, 3, 30, tzinfo=PARIS).timestamp())
    monday = int(datetime(2025, 3, 31, tzinfo=PARIS).timestamp())
    for at_s, amount in ((sunday - 1, 100), (sunday, 200), (monday - 1, 400), (monday, 800)):
        world.clock.reach(at_s * 1000)
        earn(world, amount)

    sales = books_of(world, DAY, date(2025, 3, 31), PARIS).sales

    assert monday - sunday == 23 * 3600
    assert {day.day: told.received for (_, day), told in sales.items()} == {
        29: 100,
        30: 600,
        31: 800,
    }


def test_it_counts_each_part_of_a_payment_on_its_own_day() -> None:
    """What is captured in two parts is received on two days and one payment; a refund that fails is taken back on that day."""
    world = world_at(DAY)
    intent = till.make_intent(world, amount=900, currency="gbp", capture_method="manual")
    till.authorise(world, intent)
    till.capture(world, intent, 300, is_final=False)
    world.clock.advance(DAY_MS)
    till.capture(world, intent, 500)
    refund = returns.refund(world, intent, 200)
    world.clock.advance(DAY_MS)
    returns.fail_refund(world, refund)

    sales = books_of(world, DAY, date(2025, 3, 31), PARIS).sales

    told = [sales["gbp", DAY + timedelta(days=each)] for each in range(3)]
    assert [each.received for each in told] == [300, 500, 0]
    assert [each.refunded for each in told] == [0, 200, -200]
    assert [each.payments for each in told] == [{intent}, frozenset(), frozenset()]
