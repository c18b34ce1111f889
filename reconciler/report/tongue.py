"""How are an amount, a day and a word of a report written for a person who reads one language?

What a language is, and how it writes amounts, is known below (`reconciler.language`); Babel knows the months here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_date, format_skeleton

from reconciler.core.hostile import visible
from reconciler.core.money import format_amount
from reconciler.language import Language, Phrase, amount_in, count_in, number_in
from reconciler.report.notes import translated
from reconciler.report.words import STATUSES

# An amount names its currency, or it follows one that does, like "succeeded 100 usd refunded 50".
_AMOUNT = re.compile(
    r"(?<![\w.,-])(?P<word>(?:refunded|disputed|fee) )?(?P<minor>-?\d{1,18})(?: (?P<currency>[a-z]{3}))?(?!\w)"
)
_PART = re.compile(r"(?<=\d [A-Z]{3}) (?=(?:refunded|disputed|settled|fee) )")
_WORD = re.compile(r"(?<!\w)(no invoice|[a-z_]+)(?!\w)")


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language, and the zone whose days and hours are meant."""

    language: Language
    zone: str

    def say(self, phrase: Phrase, **values: object) -> str:
        """A phrase with its values, which are harmless by then."""
        text = phrase.to(self.language)
        return text.format(**values) if values else text

    def name(self, words: Mapping[Any, Phrase], key: object) -> str:
        """What a key is called; the key itself where nobody gave it a name."""
        phrase = words.get(key)
        return visible(str(key)) if phrase is None else phrase.to(self.language)

    def number(self, amount_minor: int | None, currency: str) -> str:
        """An amount without its currency; minor units as they are where the currency is not one."""
        return "-" if amount_minor is None else number_in(self.language, amount_minor, currency)

    def amount(self, amount_minor: int | None, currency: str) -> str:
        """An amount with its currency behind it."""
        if amount_minor is None:
            return f"- {visible(currency).upper()}".strip()
        return amount_in(self.language, amount_minor, currency)

    def count(self, number: int) -> str:
        """A whole number."""
        return count_in(self.language, number)

    def day(self, day: date | None) -> str:
        """A day of the calendar, with its year."""
        return "-" if day is None else format_date(day, "medium", locale=self.language)

    def short_day(self, day: date) -> str:
        """A day without its year, for tables of one month."""
        return format_skeleton("MMMd", day, locale=self.language)

    def month(self, day: date) -> str:
        """The month of a day, with its year."""
        return format_skeleton("yMMM", day, locale=self.language)

    def moment(self, at: datetime | None) -> str:
        """A day and the time of it in the report's zone."""
        if at is None:
            return "-"
        local = at.astimezone(zone_of(self.zone))
        return f"{self.day(local.date())} {local:%H:%M:%S}"

    def status(self, word: str) -> str:
        """One of Stripe's words, as it is where we have no other for it."""
        return self.name(STATUSES, word)

    def note(self, text: str) -> str:
        """A sentence that a run has written, in this language if it is one that we know."""
        return translated(text, self.language)

    def worth(self, text: str) -> str:
        """Both values of a difference: the words that they begin with and the amounts in them, as a person writes them."""
        harmless = _with_amounts(visible(text), self.amount)
        return _WORD.sub(lambda found: self.status(found[1]), _PART.sub(", ", harmless))


def plain_worth(text: str) -> str:
    """The values of a difference with amounts in major units, in no language: `succeeded 12.50 USD`."""
    return _with_amounts(text, format_amount)


def _with_amounts(text: str, write: Callable[[int, str], str]) -> str:
    last = ""

    def written(found: re.Match[str]) -> str:
        nonlocal last
        named, currency = found["word"] or "", found["currency"] or ""
        if not _is_real(currency) and not (named and last and not currency):
            return found[0]
        last = currency or last
        return named + write(int(found["minor"]), last)

    return _AMOUNT.sub(written, text)


@cache
def zone_of(name: str) -> tzinfo:
    """The zone of a run; UTC where this machine does not know it any more."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@cache
def _is_real(currency: str) -> bool:
    """Whether three letters are a currency: "3 day" is no amount."""
    return currency.upper() in Locale("en").currencies
