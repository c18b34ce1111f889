"""What stands on the first sheet of a workbook: what was asked, whether the lists tie out, and what each book adds up to?"""

from collections.abc import Iterable
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
from reconciler.report.words import TABLES


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
    for pair in facts(report, tongue):
        pen.texts(*pair)
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
