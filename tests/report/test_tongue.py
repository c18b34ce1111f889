"""Amounts, days and words are as whoever reads them writes them."""

from datetime import UTC, date, datetime

import pytest

from reconciler.core.money import THREE_DECIMAL, ZERO_DECIMAL
from reconciler.report.tongue import Tongue, plain_worth

ENGLISH, FRENCH = Tongue("en", "Europe/Paris"), Tongue("fr", "Europe/Paris")


@pytest.mark.parametrize(
    ("minor", "currency", "english", "french"),
    [
        (123_456_789, "usd", "1,234,567.89 USD", "1\u202f234\u202f567,89 USD"),
        (-5, "usd", "-0.05 USD", "-0,05 USD"),
        (0, "kwd", "0.000 KWD", "0,000 KWD"),
        (1_230, "kwd", "1.230 KWD", "1,230 KWD"),
        (500, "jpy", "500 JPY", "500 JPY"),
        (10**15 + 1, "eur", "10,000,000,000,000.01 EUR", "10\u202f000\u202f000\u202f000\u202f000,01 EUR"),
        (1234, "??", "1,234 ??", "1\u202f234 ??"),
        (None, "usd", "- USD", "- USD"),
    ],
)  # fmt: skip
def test_it_writes_an_amount(minor: int | None, currency: str, english: str, french: str) -> None:
    """Digits are grouped and decimals marked as in the language, exactly and whatever the size."""
    assert ENGLISH.amount(minor, currency) == english
    assert FRENCH.amount(minor, currency) == french


@pytest.mark.parametrize(
    "currency", [*sorted(ZERO_DECIMAL | THREE_DECIMAL), "isk", "ugx", "twd", "huf"]
)
def test_it_has_as_many_decimals_as_stripe_says(currency: str) -> None:
    """Stripe's exponents count, not those of the locale's data."""
    decimals = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2

    _, _, after = ENGLISH.number(7, currency).partition(".")

    assert len(after) == decimals


def test_it_writes_days_and_moments_of_the_reports_zone() -> None:
    """A moment is shown in the zone whose days are meant."""
    at = datetime(2026, 3, 31, 22, 30, 5, tzinfo=UTC)

    assert ENGLISH.day(date(2026, 3, 1)) == "Mar 1, 2026"
    assert FRENCH.day(date(2026, 8, 1)) == "1 août 2026"
    assert FRENCH.month(date(2026, 2, 1)) == "févr. 2026"
    assert ENGLISH.moment(at) == "Apr 1, 2026 00:30:05"
    assert Tongue("en", "No/Where").moment(at) == "Mar 31, 2026 22:30:05"
    assert (ENGLISH.day(None), ENGLISH.moment(None)) == ("-", "-")


@pytest.mark.parametrize(
    ("text", "plain", "french"),
    [
        ("succeeded 1250 usd", "succeeded 12.50 USD", "réussi 12,50 USD"),
        (
            "succeeded 10000 usd refunded 2500 disputed 0 settled 9000 kwd fee 66",
            "succeeded 100.00 USD refunded 25.00 USD disputed 0.00 USD settled 9.000 KWD fee 0.066 KWD",
            "réussi 100,00 USD, remboursé 25,00 USD, en litige 0,00 USD, réglé 9,000 KWD, frais 0,066 KWD",
        ),
        ("charge 100 usd fee -5", "charge 1.00 USD fee -0.05 USD", "encaissement 1,00 USD, frais -0,05 USD"),
        ("no invoice", "no invoice", "aucune facture"),
        ("nothing", "nothing", "rien"),
        ("12 day", "12 day", "12 day"),
        ("1.5 usd", "1.5 usd", "1.5 usd"),
        ("re_1 9\x1b usd", "re_1 9\x1b usd", "re_1 9\\x1b usd"),
    ],
)  # fmt: skip
def test_it_writes_the_values_of_a_difference(text: str, plain: str, french: str) -> None:
    """Amounts in words become major units with their currency, and words of Stripe's those of the language."""
    assert plain_worth(text) == plain
    assert FRENCH.worth(text) == french
