"""Finance closes a month: what webhooks did not tell is found, put right and explained, and what is signed stays as it was."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from reconciler.core.report import Outcome
from reconciler.db.digest import digest
from reconciler.db.session import Database
from reconciler.reconcile.statement import report_of
from reconciler.simulator import returns
from tests.journeys.closing import (
    command,
    ledger_problems,
    look_after_all,
    payout_problems,
    reconcile,
    sales_problems,
)
from tests.journeys.months import MARCH, Shop, shop

# `make month` plays 2,000 of them.
PAYMENTS = int(os.environ.get("RECONCILER_MONTH", "200"))
_LINES = ("differences", "payments", "refunds", "disputes")


@pytest.fixture
def place(database_url: str, schema: str) -> tuple[str, str]:
    """Tell programs where the books are."""
    return database_url, schema


@pytest.fixture
def small_shop(database: Database, place: tuple[str, str]) -> Iterator[Shop]:
    """Give a month that is over, in which each story was told once or twice."""
    with shop(database, place, replace(MARCH, payments=80)) as opened:
        yield opened


def test_it_closes_a_month_of_lost_webhooks(database: Database, place: tuple[str, str]) -> None:
    """Of a month's payments, 15 % of the webhooks lost and no daemon: all is listed, put right, and tied out to the cent.

    The dry run lists exactly what the simulator says nobody was told, and what no reading mends; the run lists and repairs the
    same. Once a person has looked at the rest, the next run finds nothing. Both books, the payouts and all invoices are as in
    truth.
    """
    with shop(database, place, replace(MARCH, payments=PAYMENTS)) as opened:
        unheard, for_a_person = opened.unheard(), opened.for_a_person()
        before = _books(database)

        dry = reconcile(opened, "--dry-run")
        after_dry = _books(database)
        run = reconcile(opened)
        look_after_all(opened)
        again = reconcile(opened)

        assert len(unheard) > PAYMENTS // 2
        assert (dry.code, run.code, again.code) == (1, 1, 0)
        assert after_dry == before
        assert dry.listed() == unheard | for_a_person
        assert dry.listed(Outcome.WOULD_REPAIR) == unheard
        assert run.listed() == dry.listed()
        assert run.listed(Outcome.REPAIRED) == unheard
        assert run.listed(Outcome.NEEDS_A_PERSON) == for_a_person
        assert again.listed() == set()
        for each in (run, again):
            told, days = each.report, (MARCH.first, MARCH.last)
            assert told.is_complete
            assert all(day.ties_out for day in told.ledger)
            assert ledger_problems(opened, told.ledger, *days) == []
            assert sales_problems(opened, told.sales, *days) == []
            assert payout_problems(opened, told.payouts) == []
        assert opened.invoice_problems() == []


def test_it_leaves_a_signed_month_as_it_was(small_shop: Shop) -> None:
    """After a refund in April of a payment of March, what was signed says what it said, and the next run what has changed.

    The days of March keep their sums, in the next run as well: the refund is booked on its own day in April.
    """
    payment = _paid_once(small_shop)
    march = reconcile(small_shop)
    signature = command(small_shop, "runs", "sign", str(march.id), "--by", "ada")
    signed = _content(small_shop, march.id)

    small_shop.wait(days=2)
    refund = returns.refund(small_shop.played.world, payment, 500)
    small_shop.wait(days=1)
    spring = reconcile(small_shop, last=date(2025, 4, 4))

    told = spring.report
    changed = {each.object_id: each for each in told.changed_since_signed}
    april = [each for each in told.ledger if each.day > MARCH.last]
    assert signature.code == 0
    assert march.report.changed_since_signed == ()
    assert _content(small_shop, march.id) == signed
    assert set(changed) == {payment}
    assert (changed[payment].run_id, changed[payment].difference_minor) == (march.id, -500)
    assert "refunded 0" in changed[payment].before
    assert "refunded 500" in changed[payment].after
    assert refund in changed[payment].cause
    assert [each for each in told.ledger if each.day <= MARCH.last] == list(march.report.ledger)
    assert [(each.day, each.refunds_minor) for each in april] == [(date(2025, 4, 3), -500)]
    assert ledger_problems(small_shop, told.ledger, MARCH.first, date(2025, 4, 4)) == []
    assert sales_problems(small_shop, told.sales, MARCH.first, date(2025, 4, 4)) == []


def _books(database: Database) -> str:
    """All that is known and decided, as one digest."""
    with database.reading() as tx:
        return digest(tx)


def _paid_once(shop: Shop) -> str:
    """A PaymentIntent of the month that a card paid in euro, and of which all is still held."""
    charges = (
        each["payment_intent"]
        for each in shop.played.world.rows("charge")
        if (each["currency"], each["status"], each["disputed"]) == ("eur", "succeeded", False)
        and each["amount_captured"] == each["amount"] > 500
        and not each["amount_refunded"]
    )
    return str(min(charges))


def _content(shop: Shop, run_id: int) -> tuple[object, ...]:
    """All that a report says, line by line, but for when it was made."""
    told = report_of(shop.database, run_id, now=datetime.now(UTC))
    lines = (told.differences, told.payments, told.refunds, told.disputes)
    return (
        replace(told, made_at=told.head.asked_at, **dict.fromkeys(_LINES, tuple)),
        *(sorted(map(repr, each())) for each in lines),
    )
