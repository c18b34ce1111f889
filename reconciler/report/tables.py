"""Which tables has a report, and which columns has each?

Told once for every form. The keys are a promise to programs: they name the CSV's files and heads and the JSON's members.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from reconciler.core.report import Report
from reconciler.language import Phrase
from reconciler.report.tongue import Tongue, plain_worth
from reconciler.report.words import HEADINGS, KINDS, LISTS, OUTCOMES, SOUND

_CODES = frozenset({"currency", "settlement_currency"})


class Cell(Enum):
    """What a cell holds. An amount is whole minor units of the currency that its row names."""

    TEXT = "text"
    TEXTS = "texts"
    WORTH = "worth"
    DAY = "day"
    MOMENT = "moment"
    COUNT = "count"
    AMOUNT = "amount"
    YES_NO = "yes_no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `field` is what the row calls it, `currency` which field of the row names an amount's currency.

    `heading` is another name for people than that of the key. `words` are what a key in it is called, for people; `is_status` says that it is one of Stripe's words, `is_note` that it is a sentence of a run.
    """

    key: str
    cell: Cell = Cell.TEXT
    field: str = ""
    currency: str = "currency"
    words: Mapping[Any, Phrase] | None = None
    heading: str = ""
    is_status: bool = False
    is_note: bool = False

    def of(self, row: Any) -> Any:
        """The value that a row has here."""
        return getattr(row, self.field or self.key)

    def head(self, tongue: Tongue) -> str:
        """What the column is called."""
        return tongue.name(HEADINGS, self.heading or self.key)

    def currency_of(self, row: Any) -> str:
        """The currency of an amount."""
        return str(getattr(row, self.currency))

    def text(self, row: Any, tongue: Tongue | None = None) -> str:
        """What a cell of words holds: for people in their tongue, else as programs read it. Not harmless yet."""
        value = self.of(row)
        if self.cell is Cell.TEXTS:
            return " ".join(value)
        if self.cell is Cell.WORTH:
            return tongue.worth(value) if tongue else plain_worth(value)
        if tongue and self.is_note:
            return tongue.note(value)
        if tongue and self.words is not None:
            return tongue.name(self.words, value)
        if tongue and self.is_status:
            return tongue.status(value)
        # Stripe writes its codes small, and people write them large.
        return str(value).upper() if tongue and self.key in _CODES else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: its name, its columns, and where its rows come from, a page at a time where they may be many."""

    key: str
    columns: tuple[Column, ...]
    rows: Callable[[Report], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class KindCount:
    """How often one difference came to one outcome."""

    kind: str
    outcome: str
    count: int


def amount(key: str, currency: str = "currency") -> Column:
    """A column of amounts; its field is called `<key>_minor`."""
    return Column(key=key, cell=Cell.AMOUNT, field=f"{key}_minor", currency=currency)


def _counts(*keys: str) -> tuple[Column, ...]:
    return tuple(Column(key=key, cell=Cell.COUNT) for key in keys)


def by_kind(report: Report) -> Iterable[KindCount]:
    """The differences counted."""
    return (KindCount(kind, outcome, count) for kind, outcome, count in report.differences_by_kind)


_DAY = Column(key="day", cell=Cell.DAY)
_CURRENCY = Column(key="currency")
_ID = Column(key="id")
_STATUS = Column(key="status", is_status=True)
_KIND = Column(key="kind", words=KINDS)
_OUTCOME = Column(key="outcome", words=OUTCOMES)
_INVOICES = Column(key="invoice_ids", cell=Cell.TEXTS)

LISTS_TABLE = Table(
    key="lists",
    columns=(
        Column(key="name", words=LISTS),
        *_counts("at_stripe", "here", "left_alone", "gap"),
        Column(key="is_complete", cell=Cell.YES_NO, words=SOUND),
    ),
    rows=lambda report: report.lists,
)
_DRY_LISTS = replace(
    LISTS_TABLE,
    columns=tuple(
        replace(each, heading={"here": "here_before", "gap": "gap_after"}.get(each.key, ""))
        for each in LISTS_TABLE.columns
    ),
)


def lists_for_people(report: Report) -> Table:
    """The lists; of a dry run `here` is before a run, and the gap what would be left after it."""
    return _DRY_LISTS if report.head.is_dry else LISTS_TABLE


BY_KIND = Table(
    key="differences_by_kind",
    columns=(_KIND, _OUTCOME, *_counts("count")),
    rows=by_kind,
)
DIFFERENCES = Table(
    key="differences",
    columns=(
        _KIND,
        Column(key="subject"),
        Column(key="payment_id"),
        _INVOICES,
        Column(key="here", cell=Cell.WORTH),
        Column(key="there", cell=Cell.WORTH),
        Column(key="since", cell=Cell.MOMENT),
        Column(key="missed_by", is_status=True),
        _OUTCOME,
        Column(key="note", is_note=True),
    ),
    rows=lambda report: report.differences(),
)
PAYMENTS = Table(
    key="payments",
    columns=(
        _ID,
        _DAY,
        _STATUS,
        _CURRENCY,
        *(amount(key) for key in ("received", "refunded", "disputed")),
        Column(key="settlement_currency"),
        *(amount(key, "settlement_currency") for key in ("gross", "fee", "net")),
        Column(key="exchange_rate"),
        _INVOICES,
        Column(key="payout_id"),
    ),
    rows=lambda report: report.payments(),
)
_RETURN = (
    _ID,
    _DAY,
    Column(key="payment_id"),
    _STATUS,
    _CURRENCY,
    amount("amount"),
    Column(key="reason"),
)
REFUNDS = Table(key="refunds", columns=_RETURN, rows=lambda report: report.refunds())
DISPUTES = Table(
    key="disputes",
    columns=(*_RETURN, Column(key="respond_by", cell=Cell.MOMENT)),
    rows=lambda report: report.disputes(),
)
GROUPS = ("charges", "refunds", "refund_failures", "disputes", "fees", "payouts", "other")
LEDGER = Table(
    key="ledger",
    columns=(
        _CURRENCY,
        _DAY,
        *(amount(key) for key in ("opening", *GROUPS, "net", "closing")),
        *_counts("transactions"),
        amount("stripe_net"),
        Column(key="ties_out", cell=Cell.YES_NO, words=SOUND),
        amount("not_at_stripe"),
    ),
    rows=lambda report: report.ledger,
)
SALES = Table(
    key="sales",
    columns=(
        _CURRENCY,
        _DAY,
        *_counts("payments"),
        amount("received"),
        Column(key="refund_count", cell=Cell.COUNT, field="refunds"),
        *(amount(key) for key in ("refunded", "disputed")),
    ),
    rows=lambda report: report.sales,
)
PAYOUTS = Table(
    key="payouts",
    columns=(
        _ID,
        _DAY,
        _CURRENCY,
        amount("amount"),
        _STATUS,
        Column(key="arrives_on", cell=Cell.DAY),
        Column(key="is_automatic", cell=Cell.YES_NO),
        Column(key="is_complete", cell=Cell.YES_NO),
        *_counts("payments", "transactions"),
        amount("held"),
    ),
    rows=lambda report: report.payouts,
)
CHANGED = Table(
    key="changed_since_signed",
    columns=(
        *_counts("run_id"),
        Column(key="object_id"),
        _DAY,
        *(Column(key=key, cell=Cell.WORTH) for key in ("before", "after")),
        Column(key="cause", is_note=True),
        _CURRENCY,
        amount("difference"),
    ),
    rows=lambda report: report.changed_since_signed,
)
TABLES = (
    LISTS_TABLE,
    BY_KIND,
    DIFFERENCES,
    PAYMENTS,
    REFUNDS,
    DISPUTES,
    LEDGER,
    SALES,
    PAYOUTS,
    CHANGED,
)
