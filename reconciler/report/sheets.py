"""How is a report a workbook, with numbers that add up and dates that sort?

Written row by row, so that memory does not grow with the report. Every text is written as text: nothing in it becomes a formula
or a link.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from itertools import chain, count, islice
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from reconciler.core.report import Report
from reconciler.report.first_sheet import write_summary
from reconciler.report.opening import notices, title
from reconciler.report.pen import Pen, styles_of
from reconciler.report.tables import (
    CHANGED,
    DIFFERENCES,
    DISPUTES,
    LEDGER,
    PAYMENTS,
    PAYOUTS,
    REFUNDS,
    SALES,
    Cell,
    Table,
)
from reconciler.report.tongue import Tongue
from reconciler.report.words import TABLES

ROWS_A_SHEET: Final = 1_000_000
_SHEETS = (DIFFERENCES, PAYMENTS, REFUNDS, DISPUTES, LEDGER, SALES, PAYOUTS, CHANGED)
_WIDTHS = {
    Cell.TEXT: 18,
    Cell.TEXTS: 20,
    Cell.WORTH: 26,
    Cell.DAY: 12,
    Cell.MOMENT: 20,
    Cell.COUNT: 13,
    Cell.AMOUNT: 17,
    Cell.YES_NO: 12,
}
_WIDTHS_BY_KEY = {
    "currency": 10,
    "id": 30,
    "kind": 28,
    "note": 60,
    "object_id": 30,
    "outcome": 26,
    "payment_id": 30,
    "payout_id": 30,
    "subject": 30,
}


def write_book(
    report: Report, stream: IO[bytes], tongue: Tongue, *, rows_a_sheet: int = ROWS_A_SHEET
) -> None:
    """Write a report as a workbook. What is longer than a sheet goes on in a second one."""
    with TemporaryDirectory(prefix="report-") as scratch:
        book = Workbook(
            stream,
            {
                "constant_memory": True,
                "tmpdir": scratch,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        try:
            _fill(book, report, tongue, rows_a_sheet)
            book.close()
        except FileCreateError as problem:
            # It holds what the file system said, which is told in one place for every form.
            raise problem.args[0] from None
        finally:
            for each in book.worksheets():
                each.row_data_fh.close()


def _fill(book: Workbook, report: Report, tongue: Tongue, rows_a_sheet: int) -> None:
    made_at = report.made_at.astimezone(UTC).replace(tzinfo=None)
    book.set_properties({"title": title(report, tongue), "created": made_at})
    styles, first = styles_of(book, tongue), notices(report, tongue)
    sheet = book.add_worksheet(tongue.name(TABLES, "summary"))
    write_summary(report, Pen(sheet=sheet, styles=styles, tongue=tongue))
    for table in _SHEETS:
        name = tongue.name(TABLES, table.key)
        for number, rows in _portions(table.rows(report), rows_a_sheet):
            sheet = book.add_worksheet(name if number == 1 else f"{name} {number}")
            pen = Pen(sheet=sheet, styles=styles, tongue=tongue)
            _write_sheet(pen, table, rows, first)


def _write_sheet(pen: Pen, table: Table, rows: Iterable[Any], first: Sequence[str]) -> None:
    for place, column in enumerate(table.columns):
        width = _WIDTHS_BY_KEY.get(column.key, _WIDTHS[column.cell])
        pen.sheet.set_column(place, place, width)
    for each in first:
        pen.texts(each, style=pen.styles.mark)
    head = pen.row
    pen.head(table.columns)
    pen.sheet.freeze_panes(pen.row, 1)
    for row in rows:
        pen.line(table.columns, row)
    pen.sheet.autofilter(head, 0, max(pen.row - 1, head), len(table.columns) - 1)
    _for_paper(pen.sheet, head)


def _for_paper(sheet: Worksheet, head: int) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0, head)


def _portions(rows: Iterable[Any], most: int) -> Iterator[tuple[int, Iterable[Any]]]:
    """The rows in portions of a sheet each, numbered from 1; one without rows where there are none."""
    left = iter(rows)
    for number in count(1):
        following = next(left, None)
        if following is None:
            if number == 1:
                yield number, ()
            return
        yield number, chain((following,), islice(left, most - 1))
