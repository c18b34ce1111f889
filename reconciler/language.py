"""In which languages do we speak to people, and how does each write a number and an amount?

Babel knows grouping and decimal marks. How many decimals a currency has is Stripe's to say (`core.money`): the locale data
disagree with it for about twenty currencies.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from babel.numbers import format_decimal

from reconciler.core.hostile import visible
from reconciler.core.money import exponent, to_major

Language = Literal["en", "fr"]


@dataclass(frozen=True, slots=True)
class Phrase:
    """The same words in each language; `{name}` is where a value goes."""

    en: str
    fr: str

    def to(self, language: Language) -> str:
        """The words in one language."""
        return self.fr if language == "fr" else self.en


def count_in(language: Language, number: int) -> str:
    """A whole number."""
    return format_decimal(Decimal(number), format="#,##0", locale=language)


def number_in(language: Language, amount_minor: int, currency: str) -> str:
    """An amount without its currency; minor units as they are where the currency is not one."""
    try:
        decimals = exponent(currency)
    except ValueError:
        return count_in(language, amount_minor)
    pattern = "#,##0" + "." * bool(decimals) + "0" * decimals
    return format_decimal(to_major(amount_minor, currency), format=pattern, locale=language)


def amount_in(language: Language, amount_minor: int, currency: str) -> str:
    """An amount with its currency behind it."""
    return f"{number_in(language, amount_minor, currency)} {visible(currency).upper()}".strip()
