"""What stands on the first sheet of a workbook: what was asked, whether the lists tie out, and what each book adds up to?"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from reconciler.core.report import Report
from reconciler.report import sentences
from reconciler.report.opening import facts, next_steps, notices, title
from reconciler.report.pen import Pen
from reconciler.report.sums import ledgers, sales
from reconciler.report.tables import (
    BY_KIND,
    LEDGER,
    SALES,
    Column,
    Table,
    lists_for_people,
)
from reconciler.report.words import FACTS, TABLES


def write_summary(report: Report, pen: Pen) -> None:
    """Write the first sheet."""
    tongue = pen.tongue
    pen.sheet.set_column(0, 0, 30)
    pen.sheet.set_column(1, 14, 17)
    for each in notices(report, tongue):
        pen.texts(each, style=pen.styles.mark)
    pen.texts(title(report, tongue), style=pen.styles.title)
    pen.sheet.freeze_panes(pen.row, 0)
    pen.row += 1
    _facts(report, pen)
    _heading(pen, "next")
    for step in next_steps(report, tongue):
        pen.texts(step)
    _table(pen, lists_for_people(report), report.lists)
    _table(pen, BY_KIND, BY_KIND.rows(report))
    pen.row += 1
    pen.texts(tongue.say(sentences.TWO_BOOKS))
    _totals(pen, LEDGER, (book.total for book in ledgers(report)))
    _totals(pen, SALES, (book.total for book in sales(report)))
    pen.sheet.set_landscape()
    pen.sheet.set_paper(9)
    pen.sheet.fit_to_pages(1, 0)


def _facts(report: Report, pen: Pen) -> None:
    """Who asked for what, and what came of it; what is a number or a moment is one in its cell."""
    head, named = report.head, partial(pen.tongue.name, FACTS)
    numbers = {"run": head.id, "objects": head.objects, "requests": head.requests}
    moments = {"asked_at": head.asked_at, "ended_at": head.ended_at, "made_at": report.made_at}
    as_numbers = {named(key): value for key, value in numbers.items()}
    as_moments = {named(key): value for key, value in moments.items() if value}
    for name, text in facts(report, pen.tongue):
        pen.text(0, name)
        if name in as_numbers:
            pen.number(1, as_numbers[name])
        elif name in as_moments:
            pen.moment(1, as_moments[name])
        else:
            pen.text(1, text)
        pen.row += 1


def _table(pen: Pen, table: Table, rows: Iterable[Any]) -> None:
    _heading(pen, table.key)
    _rows(pen, table.columns, rows)


def _totals(pen: Pen, table: Table, rows: Iterable[Any]) -> None:
    """The sum of all days, a row a currency; of which day it is says nothing then."""
    _heading(pen, f"{table.key}_total")
    _rows(pen, [column for column in table.columns if column.key != "day"], rows)


def _heading(pen: Pen, key: str) -> None:
    pen.row += 1
    pen.texts(pen.tongue.name(TABLES, key), style=pen.styles.title)


def _rows(pen: Pen, columns: Iterable[Column], rows: Iterable[Any]) -> None:
    columns = tuple(columns)
    pen.head(columns)
    for row in rows:
        pen.line(columns, row)
