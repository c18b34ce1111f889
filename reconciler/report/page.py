"""How is a report one page for a browser and for paper, with nothing to fetch and nothing that runs?

Every text is escaped by the template. The page forbids all but its own style, so that even markup that got through could do nothing.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reconciler.core.hostile import visible
from reconciler.core.report import LedgerDay, Report, SalesDay
from reconciler.language import Phrase
from reconciler.report import sentences
from reconciler.report.charts import CHARTS_MAX, charts
from reconciler.report.opening import facts, next_steps, notices, title, without_differences
from reconciler.report.sums import Book, ledgers, sales
from reconciler.report.tables import (
    BY_KIND,
    CHANGED,
    DIFFERENCES,
    LEDGER,
    PAYOUTS,
    SALES,
    Cell,
    Column,
    Table,
    lists_for_people,
)
from reconciler.report.tongue import Tongue
from reconciler.report.words import HEADINGS, SOUND, TABLES, YES_NO

ROWS_SHOWN: Final = 1_000
_FOLDER: Final = Path(__file__).parent / "templates"
_NUMBERS = frozenset({Cell.AMOUNT, Cell.COUNT})
_SHORT = frozenset({Cell.DAY, Cell.YES_NO})


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column. What is short is never broken into lines."""

    text: str
    is_number: bool
    is_short: bool


@dataclass(frozen=True, slots=True)
class Box:
    """One cell."""

    text: str
    is_wrong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table as the page shows it. `more` says how many rows are left out."""

    heads: Sequence[Head]
    rows: Sequence[Sequence[Box]]
    total: Sequence[Box] = ()
    more: str = ""


def write_page(report: Report, stream: IO[bytes], tongue: Tongue) -> None:
    """Write the page of a report."""
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _template().stream(
        **_content(report, tongue),
        style=style,
        style_hash=f"sha256-{digest}",
    )
    page.enable_buffering(100)
    page.dump(stream, encoding="utf-8")


def _content(report: Report, tongue: Tongue) -> dict[str, Any]:
    differences = sum(count for *_, count in report.differences_by_kind)
    without_chart = len({each.currency for each in report.ledger}) - CHARTS_MAX
    return {
        "language": tongue.language,
        "title": title(report, tongue),
        "notices": notices(report, tongue),
        "facts": list(facts(report, tongue)),
        "steps": next_steps(report, tongue),
        "words": {key: phrase.to(tongue.language) for key, phrase in TABLES.items()},
        "none": tongue.say(sentences.NO_ROWS),
        "without_differences": without_differences(report, tongue),
        "two_books": tongue.say(sentences.TWO_BOOKS),
        "lists": _grid(lists_for_people(report), report.lists, tongue),
        "charts": list(charts(report, tongue)),
        "charts_left_out": _left_out(sentences.MORE_CHARTS, without_chart, tongue),
        "ledgers": [_book(LEDGER, book, tongue, sentences.LEDGER_IN) for book in ledgers(report)],
        "sales": [_book(SALES, book, tongue, sentences.SALES_IN) for book in sales(report)],
        "payouts": _grid(PAYOUTS, report.payouts, tongue, len(report.payouts)),
        "changed": _grid(
            CHANGED, report.changed_since_signed, tongue, len(report.changed_since_signed)
        ),
        "by_kind": _grid(BY_KIND, BY_KIND.rows(report), tongue),
        "differences": _grid(DIFFERENCES, report.differences(), tongue, differences),
    }


def _book(
    table: Table, book: Book[LedgerDay] | Book[SalesDay], tongue: Tongue, named: Phrase
) -> dict[str, Any]:
    """A book in one currency: all its days, and under them their sum."""
    left_out = {"currency"}
    if isinstance(book.total, LedgerDay) and not any(e.not_at_stripe_minor for e in book.days):
        left_out.add("not_at_stripe")
    columns = [column for column in table.columns if column.key not in left_out]
    total = [
        Box(tongue.name(HEADINGS, "all")) if each.key == "day" else _box(each, book.total, tongue)
        for each in columns
    ]
    rows = [[_box(column, day, tongue) for column in columns] for day in book.days]
    heads = _heads(columns, tongue)
    grid = Grid(heads=heads, rows=rows, total=total)
    return {"title": tongue.say(named, currency=visible(book.currency).upper()), "table": grid}


def _grid(table: Table, rows: Iterable[Any], tongue: Tongue, count: int = 0) -> Grid:
    """The first rows of a table that has `count` of them."""
    return Grid(
        heads=_heads(table.columns, tongue),
        rows=[
            [_box(column, row, tongue) for column in table.columns]
            for row in islice(rows, ROWS_SHOWN)
        ],
        more=_left_out(sentences.MORE, count - ROWS_SHOWN, tongue),
    )


def _heads(columns: Iterable[Column], tongue: Tongue) -> list[Head]:
    return [Head(each.head(tongue), each.cell in _NUMBERS, each.cell in _SHORT) for each in columns]


def _left_out(phrase: Phrase, count: int, tongue: Tongue) -> str:
    return tongue.say(phrase, count=tongue.count(count)) if count > 0 else ""


def _box(column: Column, row: Any, tongue: Tongue) -> Box:
    value = column.of(row)
    if value is None:
        return Box("")
    if column.cell is Cell.AMOUNT:
        return Box(tongue.number(value, column.currency_of(row)))
    if column.cell is Cell.COUNT:
        return Box(tongue.count(value), is_wrong=column.key == "gap" and value != 0)
    if column.cell is Cell.DAY:
        return Box(tongue.day(value))
    if column.cell is Cell.MOMENT:
        return Box(tongue.moment(value))
    if column.cell is Cell.YES_NO:
        is_wrong = column.words is SOUND and not value
        return Box(tongue.name(column.words or YES_NO, value), is_wrong=is_wrong)
    return Box(visible(column.text(row, tongue)))


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html")
