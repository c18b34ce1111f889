"""How do the two books fit into 80 columns?

The ledger of one currency is a statement, a group a line, and then a table of its days or months in which some groups are one.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, Literal

from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text

from reconciler.core.hostile import visible
from reconciler.core.report import LedgerDay, Report, SalesDay
from reconciler.report import sentences
from reconciler.report.sums import Book, by_months, ledgers, sales
from reconciler.report.tables import GROUPS
from reconciler.report.tongue import Tongue
from reconciler.report.words import HEADINGS, SOUND

Shown = str | Text
_LAST_HEAD: Final = 4
# What is longer is no id of Stripe's.
_ID_MAX: Final = 30


def grid(
    heads: Sequence[str],
    rows: Iterable[Sequence[Shown]],
    *,
    left: Collection[int],
    tongue: Tongue,
    whole: Collection[int] = (),
) -> RenderableType:
    """Rows under their heads, all columns to the right but those in `left`; one word where there are no rows.

    What is in a column of `whole` is an id that somebody copies: it stays on one line.
    """
    lines = [[_text(each) for each in row] for row in rows]
    if not lines:
        return Text(tongue.say(sentences.NO_ROWS))
    shown = Grid(box=None, pad_edge=False, header_style="bold")
    for place, head in enumerate(heads):
        # No word of a head is broken either, but between its words it may be.
        words = [Text(word) for word in head.split()]
        widest = max(each.cell_len for each in (*words, *(line[place] for line in lines)))
        is_left = place in left
        # A number is never broken in the middle: what is left of it would look like another number.
        width = widest if not is_left or (place in whole and widest <= _ID_MAX) else None
        justify: Literal["left", "right"] = "left" if is_left else "right"
        shown.add_column(
            Text(head),
            justify=justify,
            overflow="fold",
            # Beside a column that must stay whole nothing may be wider than it needs.
            width=width if whole else None,
            min_width=width,
        )
    for line in lines:
        shown.add_row(*line)
    return shown


def least_width(
    heads: Sequence[str], rows: Iterable[Sequence[Shown]], broken: Collection[int]
) -> int:
    """The columns that a grid needs at least, if only heads and what is in `broken` may be broken between words."""
    lines = [[_text(each).plain for each in row] for row in rows]
    widths = []
    for place, head in enumerate(heads):
        column = [line[place] for line in lines]
        words = head.split() + [w for each in column for w in each.split() if place in broken]
        parts = words if place in broken else [*words, *column]
        widths.append(max(Text(each).cell_len for each in parts))
    return sum(widths) + 2 * (len(widths) - 1)


def cells(*each: Shown) -> Sequence[Shown]:
    """One row for a grid."""
    return each


def pairs(lines: Iterable[tuple[str, str]]) -> RenderableType:
    """Names, and values beside them."""
    shown = Grid(box=None, pad_edge=False, show_header=False)
    shown.add_column(no_wrap=True, style="dim")
    shown.add_column(overflow="fold")
    for name, value in lines:
        shown.add_row(Text(name), Text(value))
    return shown


def listed(lines: Iterable[str]) -> RenderableType:
    """Sentences, each behind a mark."""
    shown = Grid(box=None, pad_edge=False, show_header=False)
    shown.add_column()
    shown.add_column(overflow="fold")
    for line in lines:
        shown.add_row(Text("•"), Text(line))
    return shown


def ledger_parts(report: Report, tongue: Tongue, width: int) -> Iterator[RenderableType]:
    """The ledger, a currency after the other."""
    for book in ledgers(report):
        yield Text()
        heading = tongue.say(sentences.LEDGER_IN, currency=_code(book.currency))
        yield Text(heading, style="bold underline")
        yield _statement(book.total, tongue)
        yield Text()
        yield _ledger_days(book, tongue, width, months=by_months(report))


def sales_parts(report: Report, tongue: Tongue) -> Iterator[RenderableType]:
    """The sales, a currency after the other."""
    for book in sales(report):
        yield Text()
        heading = tongue.say(sentences.SALES_IN, currency=_code(book.currency))
        yield Text(heading, style="bold underline")
        yield _sales_days(book, tongue, months=by_months(report))


def _statement(total: LedgerDay, tongue: Tongue) -> RenderableType:
    shown = Grid(box=None, pad_edge=False, show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(justify="right", no_wrap=True)
    shown.add_column()
    for key in ("opening", *GROUPS, "closing"):
        amount = tongue.number(getattr(total, f"{key}_minor"), total.currency)
        style = "bold" if key in {"opening", "closing"} else ""
        shown.add_row(Text(tongue.name(HEADINGS, key), style), Text(amount, style), Text())
    for key in ("net", "stripe_net"):
        amount = tongue.number(getattr(total, f"{key}_minor"), total.currency)
        shown.add_row(Text(tongue.name(HEADINGS, key), "dim"), Text(amount, "dim"), Text())
    shown.add_row(Text(tongue.name(HEADINGS, "ties_out")), _ties(total, tongue), Text())
    if total.not_at_stripe_minor:
        amount = tongue.number(total.not_at_stripe_minor, total.currency)
        shown.add_row(Text(tongue.name(HEADINGS, "not_at_stripe")), Text(amount), Text())
    return shown


def _ledger_days(
    book: Book[LedgerDay], tongue: Tongue, width: int, *, months: bool
) -> RenderableType:
    """A line a day or month, which adds up; where the amounts are too long for that, without the groups."""
    whole = ("charges", "returns", "fees", "payouts_and_other", "closing")
    for keys in (whole, ("net", "closing")):
        rows = [
            cells(
                _span(each, tongue, months=months),
                *(tongue.number(_amount(each, key), book.currency) for key in keys),
                _ties(each, tongue),
            )
            for each in book.spans
        ]
        if _width_of(rows) <= width:
            break
    heads = _heads(tongue, (*keys, "ties_out"), months=months)
    return grid(heads, rows, left=(0, len(keys) + 1), tongue=tongue)


def _amount(each: LedgerDay, key: str) -> int | None:
    if key == "returns":
        return each.refunds_minor + each.refund_failures_minor + each.disputes_minor
    if key == "payouts_and_other":
        return each.payouts_minor + each.other_minor
    amount: int | None = getattr(each, f"{key}_minor")
    return amount


def _width_of(rows: Iterable[Sequence[Shown]]) -> int:
    """The columns that rows need, if no cell is broken; the last column's head needs some, too."""
    widths = [max(_text(each).cell_len for each in column) for column in zip(*rows, strict=True)]
    return sum(widths) + 2 * len(widths) + _LAST_HEAD


def _sales_days(book: Book[SalesDay], tongue: Tongue, *, months: bool) -> RenderableType:
    keys = ("payments", "received", "refund_count", "refunded", "disputed")
    rows = [cells(_span(each, tongue, months=months), *_sales(each, tongue)) for each in book.spans]
    if len(rows) > 1:
        rows.append(cells(Text(tongue.name(HEADINGS, "all"), "bold"), *_sales(book.total, tongue)))
    return grid(_heads(tongue, keys, months=months), rows, left=(0,), tongue=tongue)


def _sales(each: SalesDay, tongue: Tongue) -> tuple[str, ...]:
    amounts = (each.refunded_minor, each.disputed_minor)
    return (
        tongue.count(each.payments),
        tongue.number(each.received_minor, each.currency),
        tongue.count(each.refunds),
        *(tongue.number(amount, each.currency) for amount in amounts),
    )


def _span(each: LedgerDay | SalesDay, tongue: Tongue, *, months: bool) -> Text:
    shown = tongue.month(each.day) if months else tongue.short_day(each.day)
    return Text(shown, no_wrap=True)


def _heads(tongue: Tongue, keys: Iterable[str], *, months: bool) -> list[str]:
    first = "month" if months else "day"
    return [tongue.name(HEADINGS, key) for key in (first, *keys)]


def _ties(each: LedgerDay, tongue: Tongue) -> Text:
    return Text(tongue.name(SOUND, each.ties_out), style="" if each.ties_out else "bold red")


def _text(shown: Shown) -> Text:
    return shown if isinstance(shown, Text) else Text(shown, no_wrap=True)


def _code(currency: str) -> str:
    return visible(currency).upper()
