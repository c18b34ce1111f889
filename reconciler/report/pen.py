"""How is one row after the other written on a sheet, so that nothing in it is taken for a formula or a link?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any, Final

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from reconciler.core.hostile import visible
from reconciler.core.money import exponent
from reconciler.report.plain import major
from reconciler.report.tables import Cell, Column
from reconciler.report.tongue import Tongue, zone_of
from reconciler.report.words import YES_NO

_TEXT_MAX: Final = 32_767
# Beyond 15 digits a spreadsheet rounds.
_EXACT_BELOW_MINOR: Final = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Styles:
    """How cells look."""

    mark: Format
    title: Format
    head: Format
    day: Format
    moment: Format
    whole: Format
    by_exponent: dict[int, Format] = field(default_factory=dict)


def styles_of(book: Workbook, tongue: Tongue) -> Styles:
    """The looks of one workbook; dates in the order of the language."""
    day = "dd/mm/yyyy" if tongue.language == "fr" else "yyyy-mm-dd"

    def amount(pattern: str) -> Format:
        return book.add_format({"num_format": f"{pattern};[Red]-{pattern}"})

    return Styles(
        mark=book.add_format({"bold": True, "font_color": "#B00020", "font_size": 13}),
        title=book.add_format({"bold": True, "font_size": 14}),
        head=book.add_format({"bold": True, "bottom": 1, "bg_color": "#EDEFF2", "text_wrap": True}),
        day=book.add_format({"num_format": day, "align": "left"}),
        moment=book.add_format({"num_format": f"{day} hh:mm:ss", "align": "left"}),
        whole=book.add_format({"num_format": "#,##0"}),
        by_exponent={0: amount("#,##0"), 2: amount("#,##0.00"), 3: amount("#,##0.000")},
    )


@dataclass(slots=True, kw_only=True)
class Pen:
    """Writes one sheet, from its first row to its last: a row that is done is out of memory."""

    sheet: Worksheet
    styles: Styles
    tongue: Tongue
    row: int = 0

    def texts(self, *texts: str, style: Format | None = None) -> None:
        """Write a row of texts."""
        for place, text in enumerate(texts):
            self.text(place, text, style)
        self.row += 1

    def head(self, columns: Iterable[Column]) -> None:
        """Write the heads of columns."""
        self.texts(*(each.head(self.tongue) for each in columns), style=self.styles.head)

    def line(self, columns: Iterable[Column], row: Any) -> None:
        """Write one row of a table."""
        for place, column in enumerate(columns):
            self._cell(place, column, row)
        self.row += 1

    def text(self, place: int, text: str, style: Format | None = None) -> None:
        """Write one text, cut where a cell ends."""
        self.sheet.write_string(self.row, place, visible(text)[:_TEXT_MAX], style)

    def amount(self, place: int, amount_minor: int | None, currency: str) -> None:
        """Write an amount as a number in major units; as text where a spreadsheet would round it or knows no currency."""
        if amount_minor is None:
            return
        value = major(amount_minor, currency)
        if value is None or abs(amount_minor) >= _EXACT_BELOW_MINOR:
            self.text(place, self.tongue.amount(amount_minor, currency))
        else:
            style = self.styles.by_exponent[exponent(currency)]
            self.sheet.write_number(self.row, place, float(value), style)

    def number(self, place: int, number: int) -> None:
        """Write a whole number."""
        self.sheet.write_number(self.row, place, number, self.styles.whole)

    def moment(self, place: int, at: datetime) -> None:
        """Write a moment, by the clock of the report's zone."""
        local = at.astimezone(zone_of(self.tongue.zone)).replace(tzinfo=None)
        self.sheet.write_datetime(self.row, place, local, self.styles.moment)

    def _cell(self, place: int, column: Column, row: Any) -> None:
        value, styles = column.of(row), self.styles
        if value is None:
            return
        if column.cell is Cell.AMOUNT:
            self.amount(place, value, column.currency_of(row))
        elif column.cell is Cell.COUNT:
            self.number(place, value)
        elif column.cell is Cell.DAY:
            self.sheet.write_datetime(
                self.row, place, datetime.combine(value, time.min), styles.day
            )
        elif column.cell is Cell.MOMENT:
            self.moment(place, value)
        elif column.cell is Cell.YES_NO:
            self.text(place, self.tongue.name(column.words or YES_NO, value))
        else:
            self.text(place, column.text(row, self.tongue))
