"""Without a single webhook, and after any pause, the books become right by themselves: stories of weeks and months."""

from dataclasses import replace
from datetime import timedelta

from reconciler.db import queries, sweeps
from reconciler.db.session import Database
from reconciler.simulator import checkout, returns, till
from tests.journeys.timelapse import START, UNHASTY, Timelapse, timelapse

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
HALF_A_DAY = DAY / 2
NEVER_MS = 10**15


def _word(months: Timelapse, invoice_id: str) -> str | None:
    with months.database.reading() as tx:
        row = queries.invoice(tx, invoice_id)
    return None if row is None else row["payment_status"]


def _forget(months: Timelapse) -> None:
    """Let no list ever show an event of what happened so far: in rare cases Stripe makes none."""
    told = months.world.happenings
    told[:] = [replace(each, visible_ms=NEVER_MS) for each in told]


def _paid(months: Timelapse, number: int) -> str:
    intent = months.intent(months.bill(number, 5000), 5000)
    till.succeed(months.world, intent)
    return intent


def test_it_learns_what_became_of_old_payments(months: Timelapse) -> None:
    """Made in May and paid in June, a refund that fails weeks later, a dispute that is lost after 75 days: found by reads.

    Stripe makes no event of any of them.
    """
    world = months.world
    late = months.intent(months.bill(1, 5000), 5000)
    refund = returns.refund(world, _paid(months, 2), 5000, "pending")
    dispute = returns.dispute(world, _paid(months, 3))
    months.run(HALF_A_DAY)
    before = [_word(months, str(number)) for number in (1, 2, 3)]
    months.off(28 * DAY)
    till.succeed(world, late)
    returns.fail_refund(world, refund)
    months.off(47 * DAY)
    returns.lose(world, dispute)
    _forget(months)

    months.run(HALF_A_DAY)

    assert before == ["unpaid", "refunded", "disputed"]
    assert [_word(months, str(number)) for number in (1, 2, 3)] == ["paid", "paid", "charged_back"]
    assert months.problems() == []


def test_it_makes_up_for_a_pause_of_45_days(months: Timelapse) -> None:
    """Off for longer than Stripe keeps events, it finds what was made, paid, refunded, disputed and waived meanwhile."""
    before = months.intent(months.bill(1, 5000), 5000)
    refunded = _paid(months, 2)
    months.run(HALF_A_DAY)
    months.off(5 * DAY)
    till.succeed(months.world, before)
    returns.refund(months.world, refunded, 5000)
    returns.dispute(months.world, _paid(months, 3))
    session = checkout.open_session(
        months.world, amount=900, currency="eur", client_reference_id=months.bill(4, 900)
    )
    checkout.begin_payment(months.world, session, "payer@example.com")
    months.off(40 * DAY)

    months.run(DAY)

    assert [_word(months, str(n)) for n in (1, 2, 3)] == ["paid", "refunded", "disputed"]
    assert months.problems() == []


def test_it_finds_events_that_appear_behind_the_cursor(database: Database) -> None:
    """Events that Stripe's list shows only after 40 minutes are found, though the cursor has passed them long before."""
    with timelapse(database, timing=replace(UNHASTY, events_s=60, deep_s=900)) as months:
        intent = months.intent(months.bill(1, 5000), 5000)
        months.run(5 * MINUTE)
        months.world.hidden_for_ms = lambda _: 40 * 60_000
        at = months.now()
        till.succeed(months.world, intent)
        months.run(20 * MINUTE)
        with database.reading() as tx:
            cursor = sweeps.position(tx, "events")
        early = _word(months, "1")

        months.run(40 * MINUTE)

        assert cursor is not None
        assert cursor > at + 10 * MINUTE
        assert (early, _word(months, "1")) == ("unpaid", "paid")
        assert months.problems() == []


def test_it_sees_a_silent_edit(months: Timelapse) -> None:
    """An amount that is changed before the payment, of which no event tells, is known once it is paid."""
    intent = months.intent(months.bill(1, 5000), 4000)
    months.run(HALF_A_DAY)
    till.edit(months.world, intent, amount=5000)
    months.run(HALF_A_DAY)
    with months.database.reading() as tx:
        seen = (queries.payment(tx, intent) or {})["amount"]
    till.succeed(months.world, intent)

    months.run(HALF_A_DAY)

    assert (seen, _word(months, "1")) == (5000, "paid")
    assert months.problems() == []


def test_it_reads_the_rest_when_one_right_is_missing(database: Database) -> None:
    """A key that may not read disputes: a person is called, nothing is taken for empty, and all other lists are read."""
    rights = frozenset(
        ["event", "payment_intent", "charge", "refund", "checkout_session", "balance_transaction"]
    )
    with timelapse(database, rights=rights) as months:
        till.settle(months.world, _paid(months, 1))
        _forget(months)

        months.run(HALF_A_DAY)

        with database.reading() as tx:
            unread = sweeps.position(tx, "recent_disputes")
            read = sweeps.position(tx, "recent_payment_intents")
        assert ("read_forbidden", "dispute") in months.alerts()
        assert unread is None
        assert read is not None
        assert read > START - MINUTE
        assert months.problems() == []
