"""Without a single webhook, and after any pause, the books become right by themselves: stories of weeks and months."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.db import queries, sweeps, tables
from reconciler.db.session import Database
from reconciler.simulator import checkout, returns, till
from tests.journeys.timelapse import START, Timelapse, timelapse

DAY = timedelta(days=1)
NEVER_MS = 10**15


@pytest.fixture
def months(database: Database) -> Timelapse:
    """Give an account, a database and a daemon whose time leaps."""
    return timelapse(database)


def _word(months: Timelapse, invoice_id: str) -> str | None:
    with months.database.reading() as tx:
        row = queries.invoice(tx, invoice_id)
    return None if row is None else row["payment_status"]


def _intent(months: Timelapse, number: str, amount: int) -> str:
    named = {"invoice_id": number}
    intent = till.make_intent(months.world, amount=amount, currency="eur", metadata=named)
    months.world.meant[intent] = number.removeprefix("INV-")
    return intent


def _alerts(months: Timelapse) -> set[tuple[str, str]]:
    column = tables.exceptions.c
    with months.database.reading() as tx:
        rows = tx.execute(tables.exceptions.select().where(column.state == "open")).mappings()
        return {(row["kind"], row["subject"]) for row in rows}


def _forget(months: Timelapse) -> None:
    """Let no list ever show an event of what happened so far: in rare cases Stripe makes none."""
    told = months.world.happenings
    told[:] = [replace(each, visible_ms=NEVER_MS) for each in told]


def test_it_finds_what_was_paid_long_after_it_was_made(months: Timelapse) -> None:
    """A PaymentIntent of May is paid in June; no event is ever made of it, and its invoice is paid within a day."""
    intent = _intent(months, months.bill(1, 5000), 5000)
    months.run(3 * DAY)
    months.off(25 * DAY)
    till.succeed(months.world, intent)
    _forget(months)

    months.run(DAY)

    assert _word(months, "1") == "paid"
    assert months.problems() == []


def test_it_makes_up_for_a_pause_of_45_days(months: Timelapse) -> None:
    """Off for longer than Stripe keeps events, it finds what was made, paid, refunded, disputed and waived meanwhile."""
    before = _intent(months, months.bill(1, 5000), 5000)
    refunded = _intent(months, months.bill(2, 2000), 2000)
    till.succeed(months.world, refunded)
    months.run(2 * DAY)
    months.off(5 * DAY)
    till.succeed(months.world, before)
    returns.refund(months.world, refunded, 2000)
    new = _intent(months, months.bill(3, 700), 700)
    till.succeed(months.world, new)
    returns.dispute(months.world, new)
    session = checkout.open_session(
        months.world, amount=900, currency="eur", client_reference_id=months.bill(4, 900)
    )
    checkout.begin_payment(months.world, session, "payer@example.com")
    months.off(40 * DAY)

    months.run(2 * DAY)

    assert [_word(months, str(n)) for n in (1, 2, 3)] == ["paid", "refunded", "disputed"]
    assert months.problems() == []


def test_it_learns_how_a_dispute_ended(months: Timelapse) -> None:
    """A dispute that is lost after 75 days, of which no event tells, shows as charged back within a day."""
    intent = _intent(months, months.bill(1, 5000), 5000)
    till.succeed(months.world, intent)
    dispute = returns.dispute(months.world, intent)
    months.run(2 * DAY)
    disputed = _word(months, "1")
    months.off(73 * DAY)
    returns.lose(months.world, dispute)
    _forget(months)

    months.run(2 * DAY)

    assert (disputed, _word(months, "1")) == ("disputed", "charged_back")
    assert months.problems() == []


def test_it_learns_that_a_refund_failed(months: Timelapse) -> None:
    """A refund that fails three weeks later without an event gives the invoice its money back."""
    intent = _intent(months, months.bill(1, 5000), 5000)
    till.succeed(months.world, intent)
    refund = returns.refund(months.world, intent, 5000, "pending")
    months.run(2 * DAY)
    refunded = _word(months, "1")
    months.off(20 * DAY)
    returns.fail_refund(months.world, refund)
    _forget(months)

    months.run(2 * DAY)

    assert (refunded, _word(months, "1")) == ("refunded", "paid")
    assert months.problems() == []


def test_it_sees_a_silent_edit(months: Timelapse) -> None:
    """An amount that is changed before the payment, of which no event tells, is known once it is paid."""
    intent = _intent(months, months.bill(1, 5000), 4000)
    months.run(DAY)
    till.edit(months.world, intent, amount=5000)
    months.run(2 * DAY)
    with months.database.reading() as tx:
        seen = (queries.payment(tx, intent) or {})["amount"]
    till.succeed(months.world, intent)

    months.run(DAY)

    assert (seen, _word(months, "1")) == (5000, "paid")
    assert months.problems() == []


def test_it_follows_the_app(months: Timelapse) -> None:
    """An invoice that is added after its payment, and one whose amount the app changes, are settled without any event."""
    early = _intent(months, "INV-1", 5000)
    till.succeed(months.world, early)
    other = _intent(months, months.bill(2, 3000), 3000)
    till.succeed(months.world, other)
    months.run(DAY)
    with months.database.writing() as tx:
        row = {"id": "1", "number": "INV-1", "currency": "eur", "amount_due": 5000}
        times = {"created_at": months.now(), "updated_at": months.now()}
        tx.execute(tables.invoices.insert(), {**row, **times, "status": "open"})
        tx.execute(
            tables.invoices.update().where(tables.invoices.c.id == "2").values(amount_due=3500)
        )

    months.run(DAY)

    assert (_word(months, "1"), _word(months, "2")) == ("paid", "partially_paid")


def test_it_reads_the_rest_when_one_right_is_missing(database: Database) -> None:
    """A key that may not read disputes: a person is called, nothing is taken for empty, and all other lists are read."""
    rights = frozenset(
        ["event", "payment_intent", "charge", "refund", "checkout_session", "balance_transaction"]
    )
    months = timelapse(database, rights=rights)
    intent = _intent(months, months.bill(1, 5000), 5000)
    till.succeed(months.world, intent)
    _forget(months)

    months.run(2 * DAY)

    with database.reading() as tx:
        unread = sweeps.position(tx, "recent_disputes")
        read = sweeps.position(tx, "recent_payment_intents")
    assert _word(months, "1") == "paid"
    assert ("read_forbidden", "/v1/disputes") in _alerts(months)
    assert unread is not None
    assert unread <= START
    assert read is not None
    assert read > START + DAY
