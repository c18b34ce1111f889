"""Where do the bars of a chart lie?

Charts are drawn by hand, as SVG inside the page: a library for it weighs more than the program. Lengths are in units of a drawing that
is 360 wide, so that its letters can still be read in a narrow window.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.core.report import LedgerDay, Report
from reconciler.report import sentences
from reconciler.report.sums import Book, ledgers
from reconciler.report.tongue import Tongue
from reconciler.report.words import KINDS, TABLES

WIDTH: Final = 360
CHARTS_MAX: Final = 6
_TOP, _BOTTOM, _DAYS_HEIGHT = 16, 20, 160
_ROW = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar, and what it says."""

    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A few words at a place; `anchor` is which end of them is there."""

    x: float
    y: float
    text: str
    anchor: str = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing."""

    title: str
    height: float
    bars: Sequence[Bar]
    labels: Sequence[Label]
    baseline: float | None = None
    width: int = WIDTH


def charts(report: Report, tongue: Tongue) -> Iterator[Chart]:
    """Charges per day, a chart a currency, and differences by kind; those that would be empty are left out."""
    for book in list(ledgers(report))[:CHARTS_MAX]:
        if any(day.charges_minor for day in book.days):
            yield gross_a_day(book, tongue)
    if report.differences_by_kind:
        yield differences_by_kind(report, tongue)


def gross_a_day(book: Book[LedgerDay], tongue: Tongue) -> Chart:
    """A bar a day, from the first to the last day that the book has; charges taken back hang below the line."""
    first = book.days[0].day
    slots = (book.days[-1].day - first).days + 1
    highest = max(0, *(day.charges_minor for day in book.days))
    lowest = min(0, *(day.charges_minor for day in book.days))
    room = _DAYS_HEIGHT - _TOP - _BOTTOM

    def length(amount_minor: int) -> float:
        return round(room * amount_minor / (highest - lowest), 2)

    baseline = _TOP + length(highest)
    step = WIDTH / slots
    bars = [
        Bar(
            x=round((day.day - first).days * step + step * 0.1, 2),
            y=round(baseline - max(0.0, length(day.charges_minor)), 2),
            width=round(step * 0.8, 2),
            height=abs(length(day.charges_minor)),
            says=_says(
                tongue, tongue.day(day.day), tongue.amount(day.charges_minor, book.currency)
            ),
        )
        for day in book.days
    ]
    labels = [
        Label(x=0, y=11, text=f"max. {tongue.amount(highest, book.currency)}"),
        Label(x=0, y=_DAYS_HEIGHT - 5, text=tongue.day(first)),
    ]
    if slots > 1:
        last = tongue.day(book.days[-1].day)
        labels.append(Label(x=WIDTH, y=_DAYS_HEIGHT - 5, text=last, anchor="end"))
    title = tongue.say(sentences.GROSS_A_DAY, currency=book.currency.upper())
    return Chart(title=title, height=_DAYS_HEIGHT, bars=bars, labels=labels, baseline=baseline)


def differences_by_kind(report: Report, tongue: Tongue) -> Chart:
    """A bar a kind, the most frequent first, its words above it."""
    counts: Counter[str] = Counter()
    for kind, _, count in report.differences_by_kind:
        counts[kind] += count
    most = max(1, *counts.values())
    bars, labels = [], []
    for row, (name, count) in enumerate(counts.most_common()):
        says = _says(tongue, tongue.name(KINDS, name), tongue.count(count))
        width = round(WIDTH * count / most, 2)
        labels.append(Label(x=0, y=row * _ROW + 11, text=says))
        bars.append(Bar(x=0, y=row * _ROW + 15, width=width, height=9, says=says))
    title = tongue.name(TABLES, "differences_by_kind")
    return Chart(title=title, height=len(bars) * _ROW, bars=bars, labels=labels)


def _says(tongue: Tongue, name: str, value: str) -> str:
    return tongue.say(sentences.NAME_AND_VALUE, name=name, value=value)
