"""Where do the invoices live, and what are their columns called?

The only place that knows. The default is our embedded table; an app's own table is described by the same map. At most three
columns are ever written: `status`, `payment_status` and `paid_at`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Table,
    Text,
    case,
    cast,
    func,
    literal_column,
    null,
)

from reconciler.core.money import THREE_DECIMAL, ZERO_DECIMAL, to_minor
from reconciler.db.foreign import Kind, keys_of
from reconciler.db.tables import invoices as embedded

WRITTEN: Final = ("status", "payment_status", "paid_at")
STORED: Final = (
    "stripe_payment_intent_id",
    "stripe_checkout_session_id",
    "stripe_payment_link_id",
)
NAMING: Final = ("id", "number", *STORED)
NAMES: Final = (
    *NAMING,
    "currency",
    "amount_due",
    *WRITTEN,
    "user_id",
    "customer_name",
    "customer_email",
    "created_at",
    "updated_at",
)
"""Our names of all columns; the app's table need not have every one."""
FOREIGN: Final = "app's "
"""What stands before a word of the app's that only looks like one of ours."""
_MAJOR_MAX: Final = 10**15
REQUIRED: Final = ("id", "currency", "amount_due")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceTable:
    """A table of invoices: our name of each column to what stands for it there, and our word for a status to the app's.

    `kinds` are those of columns that are no text; an invoice's id is text everywhere else. `written` are our names of the
    columns that are there to be written. `only` is SQL of the operator's that says which rows are invoices of ours.
    `day_zone` is set where `paid_at` holds no more than a day.
    """

    table: Table = embedded
    columns: Mapping[str, ColumnElement[Any]] = field(default_factory=lambda: dict(embedded.c))
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    written: tuple[str, ...] = WRITTEN
    in_decimals: bool = False
    only: str = ""
    day_zone: tzinfo | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is the table that we brought."""
        return self.table is embedded

    @property
    def is_plain(self) -> bool:
        """Whether it is that one with all its rows, as most have it: what is asked of it can be kept ready."""
        return self.is_ours and not self.only

    def column(self, name: str) -> ColumnElement[Any]:
        """What stands for one of our names; NULL where the table has nothing for it."""
        return self.columns.get(name, null())

    def text(self, name: str) -> ColumnElement[str]:
        """The same as text, to be compared with texts of ours."""
        column = self.column(name)
        return column if self.is_ours else cast(column, Text)

    def stored(self) -> list[ColumnElement[str]]:
        """Stripe's ids on it, as text; an empty text is none."""
        return [func.nullif(self.text(name), "") for name in STORED]

    def values(self, name: str, texts: Iterable[str]) -> list[Any]:
        """Those of these texts that a column could hold, in its own form and order."""
        return keys_of(self.kinds.get(name, Kind.TEXT), texts)

    def rows(self) -> ColumnElement[bool]:
        """Which rows count."""
        return literal_column(f"({self.only})") if self.only else literal_column("1 = 1")

    def currency(self) -> ColumnElement[str]:
        """The currency as Stripe writes it."""
        return func.lower(self.text("currency"))

    def minor(self) -> ColumnElement[int]:
        """What is due in Stripe's minor units; NULL for what is more than anybody has."""
        amount = self.column("amount_due")
        if not self.in_decimals:
            return amount
        currency = self.currency()
        factor = case(
            (currency.in_(sorted(ZERO_DECIMAL)), 1),
            (currency.in_(sorted(THREE_DECIMAL)), 1000),
            else_=100,
        )
        minor = cast(func.round(amount * factor), BigInteger)
        return case((func.abs(amount) < _MAJOR_MAX, minor), else_=null())

    def word(self) -> ColumnElement[str]:
        """Our word for the status."""
        status = func.coalesce(self.text("status"), "")
        return case(self._ours, value=status, else_=status) if self._ours else status

    def word_out(self, word: str) -> str:
        """The app's word for one of ours."""
        return self.words.get(word, word)

    def word_in(self, word: object) -> str:
        """Our word for one of the app's; one that is not mapped stays as it is, and nothing is an empty word."""
        theirs = "" if word is None else str(word).rstrip()
        return self._ours.get(theirs, theirs)

    @property
    def _ours(self) -> dict[str, str]:
        """The app's words to ours. One that is written like a word of ours and means something else is told apart."""
        alike = {mine: f"{FOREIGN}{mine}" for mine, theirs in self.words.items() if mine != theirs}
        return alike | {theirs: mine for mine, theirs in self.words.items()}

    def minor_in(self, amount: Any, currency: str) -> int:
        """An amount of the table in Stripe's minor units. Raises ValueError for one that is no whole number of them."""
        try:
            number = amount if isinstance(amount, Decimal) else Decimal(str(amount))
        except InvalidOperation:
            raise ValueError("the amount is no number") from None
        if self.in_decimals:
            return to_minor(number, currency)
        if not number.is_finite() or number != number.to_integral_value():
            raise ValueError("the amount is no whole number of minor units")
        return int(number)


EMBEDDED: Final = InvoiceTable(columns=MappingProxyType(dict(embedded.c)))
