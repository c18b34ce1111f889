"""Days add up to their sum, a currency at a time."""

from dataclasses import replace
from datetime import date

from reconciler.core.report import LedgerDay
from reconciler.report.sums import ledgers, sales
from tests.report.samples import quiet, sample


def test_it_opens_with_the_first_day_and_closes_with_the_last() -> None:
    """The sum of a currency leads from its first balance to its last, and its groups are those of all days."""
    by_currency = {book.currency: book.total for book in ledgers(sample())}
    usd = by_currency["usd"]

    assert set(by_currency) == {"usd", "jpy", "kwd"}
    assert usd.closing_minor == (usd.opening_minor or 0) + usd.net_minor
    assert usd.net_minor == usd.stripe_net_minor
    assert usd.transactions == 1_203
    assert by_currency["jpy"].closing_minor is None


def test_it_shows_months_where_the_range_is_longer_than_one() -> None:
    """31 days are shown each, 32 by months that add up to the same; one bad day shows in its month."""
    days = tuple(
        LedgerDay(
            currency="usd", day=day, opening_minor=0, closing_minor=0, charges_minor=1, ties_out=ok
        )
        for day, ok in (
            (date(2026, 3, 1), True),
            (date(2026, 3, 31), False),
            (date(2026, 4, 1), True),
        )
    )
    month = replace(quiet(last_day=date(2026, 3, 31)), ledger=days)
    longer = replace(quiet(last_day=date(2026, 4, 1)), ledger=days)

    (short,), (long,) = ledgers(month), ledgers(longer)

    assert len(short.spans) == 3
    assert [(each.charges_minor, each.ties_out) for each in long.spans] == [(2, False), (1, True)]
    assert long.total == short.total
    assert len(long.days) == 3


def test_it_adds_up_sales() -> None:
    """The sum of sales is that of their days."""
    eur = next(book for book in sales(sample()) if book.currency == "eur")

    assert (eur.total.payments, eur.total.received_minor, eur.total.refunds) == (393, 3_000_300, 3)
