"""Is it known which payments are in which payout, without anything being known twice or by half?"""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import Source
from reconciler.core.report import PayoutLine
from reconciler.core.schedule import DAY_MS, Window
from reconciler.db import alerts, lines, tables
from reconciler.db.session import Database
from reconciler.poll import Depth, read_due, sweep_money
from reconciler.reconcile.payouts import take_payouts
from reconciler.simulator import payouts, till
from reconciler.simulator.faults import Fault, FaultKind
from reconciler.stripe_api.problems import StripeProblem
from tests.poll.account import SINCE_MS, Account
from tests.stripe_api.answering import bench, listed

MONEY = Depth(name="money", overlap_s=2 * 86_400, lag_s=10)
ALL = Window(SINCE_MS - DAY_MS, SINCE_MS + 100 * DAY_MS)


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account."""
    return Account(database)


def _earn(account: Account, amount: int) -> str:
    intent = till.make_intent(account.world, amount=amount, currency="eur")
    till.succeed(account.world, intent)
    till.settle(account.world, intent)
    return intent


def _paid_out(account: Account, *amounts: int) -> str:
    """Earn, wait and pay out, until its composition is told; returns the payout's id."""
    for each in amounts:
        _earn(account, each)
    account.wait(2 * 86_400)
    (id_,) = payouts.pay_out(account.world)
    payouts.submit(account.world, id_)
    payouts.tell_composition(account.world, id_)
    account.wait(60)
    return id_


def _lines(database: Database) -> list[PayoutLine]:
    return list(lines.payout_lines(database, ALL, UTC))


def test_it_tells_what_is_in_a_payout(account: Account, database: Database) -> None:
    """A payout holds its payments, and what they bring together is its amount; its own transaction is not in it."""
    id_ = _paid_out(account, 10_000, 5_000)

    take_payouts(account.poller, ALL)

    (line,) = _lines(database)
    assert (line.id, line.currency, line.status) == (id_, "eur", "in_transit")
    assert line.is_automatic
    assert line.is_complete
    assert (line.payments, line.transactions) == (2, 2)
    assert line.held_minor == line.amount_minor == 10_000 - 175 + 5_000 - 100
    arrives = account.world.get(id_)["arrival_date"]
    assert line.arrives_on == datetime.fromtimestamp(arrives, UTC).date()


def test_it_brings_what_nobody_told_of_through_the_door(
    account: Account, database: Database
) -> None:
    """Transactions that are not known here, of whatever day, are taken in by hand, and their payments with them."""
    _paid_out(account, 10_000)

    take_payouts(account.poller, ALL)

    with database.reading() as tx:
        column = tables.observations.c
        sources = set(tx.scalars(select(column.source).where(column.kind == "TransactionSeen")))
        known = tx.execute(select(tables.balance_transactions.c.payment_id)).all()
    assert sources <= {Source.MANUAL.value}
    assert len(known) == 2


def test_it_says_of_a_payment_in_which_payout_it_is(account: Account, database: Database) -> None:
    """A transaction that was known before is found again by its payout."""
    account.wait(60)
    intent = _earn(account, 10_000)
    id_ = _paid_out(account, 700)
    sweep_money(account.poller, MONEY)
    read_due(account.poller)

    take_payouts(account.poller, ALL)

    found = {line.id: line.payout_id for line in lines.payment_lines(database, ALL, UTC)}
    assert found[intent] == id_


def test_it_looks_into_a_payout_once(account: Account, database: Database) -> None:
    """What is in a payout never changes: it is not read again, but whether the payout arrived is."""
    id_ = _paid_out(account, 10_000)
    take_payouts(account.poller, ALL)
    (before,) = _lines(database)
    payouts.arrive(account.world, id_)
    payouts.fail(account.world, id_)
    account.client.asked.clear()

    take_payouts(account.poller, ALL)

    (after,) = _lines(database)
    assert [each.path for each in account.client.asked] == ["/v1/payouts"]
    assert (before.status, after.status) == ("in_transit", "failed")
    assert replace(after, status="in_transit") == before


def test_it_waits_until_all_of_a_payout_is_told(account: Account, database: Database) -> None:
    """As long as Stripe is still putting a payout together, nothing is said of what is in it."""
    _earn(account, 10_000)
    account.wait(2 * 86_400)
    (id_,) = payouts.pay_out(account.world)
    account.wait(60)

    take_payouts(account.poller, ALL)
    (early,) = _lines(database)
    payouts.tell_composition(account.world, id_)
    take_payouts(account.poller, ALL)
    (late,) = _lines(database)

    assert (early.is_complete, early.transactions, early.held_minor) == (False, 0, None)
    assert (late.is_complete, late.transactions, late.held_minor) == (True, 1, late.amount_minor)


def test_it_counts_a_payout_that_came_back_into_the_next(
    account: Account, database: Database
) -> None:
    """The money of a payout that failed is in the next one, and there it is no own transaction."""
    first = _paid_out(account, 10_000)
    payouts.arrive(account.world, first)
    payouts.fail(account.world, first)
    second = _paid_out(account, 500)

    take_payouts(account.poller, ALL)

    by_id = {line.id: line for line in _lines(database)}
    assert (by_id[second].payments, by_id[second].transactions) == (1, 2)
    assert all(line.held_minor == line.amount_minor for line in by_id.values())


def test_it_looks_at_no_other_days(account: Account, database: Database) -> None:
    """A payout made outside the window is left alone."""
    id_ = _paid_out(account, 10_000)
    made_ms = account.world.get(id_)["created"] * 1000

    take_payouts(account.poller, Window(made_ms - DAY_MS, made_ms))
    before = _lines(database)
    take_payouts(account.poller, Window(made_ms, made_ms + 1000))

    assert before == []
    assert [each.id for each in _lines(database)] == [id_]


def test_it_goes_on_where_it_broke_off(account: Account, database: Database) -> None:
    """A composition that could not be read to its end counts for nothing, and is read anew."""
    _paid_out(account, 10_000)
    account.faults.script(Fault(kind=FaultKind.HTML, path="/v1/balance_transactions"))

    with capture_logs(), pytest.raises(StripeProblem):
        take_payouts(account.poller, ALL)
    (broken,) = _lines(database)
    take_payouts(account.poller, ALL)

    (line,) = _lines(database)
    assert (broken.is_complete, broken.held_minor) == (False, None)
    assert (line.is_complete, line.held_minor) == (True, line.amount_minor)


def test_it_calls_a_person_when_it_may_not_read_them(account: Account, database: Database) -> None:
    """A key without the right to payouts is told, never taken for none; the missing right is an exception until it is there."""
    account.client.api = account.api(frozenset({"balance_transaction"}))
    with capture_logs(), pytest.raises(StripeProblem) as problem:
        take_payouts(account.poller, ALL)
    with database.reading() as tx:
        is_asked = alerts.is_open(tx, kind=ExceptionKind.READ_FORBIDDEN, subject="payout")
    account.client.api = account.api(None)

    take_payouts(account.poller, ALL)

    with database.reading() as tx:
        is_still_asked = alerts.is_open(tx, kind=ExceptionKind.READ_FORBIDDEN, subject="payout")
    assert problem.value.right == "rak_payout_read"
    assert (is_asked, is_still_asked) == (True, False)


PAYOUT = {
    "id": "po_1", "object": "payout", "status": "paid", "currency": "EUR", "amount": 5, "created": 1_790_000_000,
    "automatic": False, "arrival_date": 1_790_035_200, "reconciliation_status": "not_applicable",
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "is_read"),
    [
        ("amount", 5, True),
        ("arrival_date", None, True),
        ("amount", "a lot", False),
        ("currency", "euros", False),
        ("created", -1, False),
        ("created", 10**30, False),
        ("status", None, False),
    ],
)
def test_it_guesses_nothing(database: Database, field: str, value: object, is_read: bool) -> None:
    """A payout that can't be read ends the reading: a list without it would look complete."""
    asking = bench(lambda _: listed(PAYOUT | {field: value}))
    poller = replace(Account(database).poller, gateway=asking.gateway)

    if not is_read:
        with pytest.raises(StripeProblem):
            take_payouts(poller, ALL)
    else:
        take_payouts(poller, ALL)
        (line,) = lines.payout_lines(database, Window(0, 2 * 1_790_000_000_000), UTC)
        assert (line.currency, line.is_automatic, line.is_complete) == ("eur", False, False)
        assert line.arrives_on == (date(2026, 9, 22) if value is not None else None)
