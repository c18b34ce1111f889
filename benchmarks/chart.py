"""What does a chart of the figures look like?

Bars in an SVG that is written by hand, one group for each sheet that has bars: a library for it weighs more than the program.
Colours hold on a light page and on a dark one.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.sheets import Bar, Sheet

_WIDTH: Final = 720
_WORDS_WIDTH: Final = 290
_NUMBER_WIDTH: Final = 70
_ROW: Final = 22
_TITLE: Final = 34
_GAP: Final = 14
_OURS: Final = "#3d7dd8"
_OTHERS: Final = "#9aa3ad"
_INK: Final = "#7a838d"
# The height of a small letter, so that it stands beside the middle of its bar.
_BASELINE: Final = 11


def drawn(sheets: Sequence[Sheet]) -> str:
    """The whole drawing."""
    shown = sorted((each for each in sheets if each.bars), key=lambda each: each.benchmark)
    parts: list[str] = []
    top = 0
    for sheet in shown:
        parts += _group(sheet, top)
        top += _TITLE + _ROW * len(sheet.bars) + _GAP
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" role="img"'
        f' font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">'
    )
    title = "<title>Figures of the benchmarks beside their baselines</title>"
    return "\n".join([opening, title, *parts, "</svg>\n"])


def _group(sheet: Sheet, top: int) -> Iterator[str]:
    """A heading, and a bar for each figure; the longest takes the whole width."""
    yield f'<text x="0" y="{top + 20}" font-weight="bold">{escape(_heading(sheet))}</text>'
    most = max(bar.value for bar in sheet.bars) or 1.0
    for row, bar in enumerate(sheet.bars):
        yield from _bar(bar, top + _TITLE + row * _ROW, most)


def _heading(sheet: Sheet) -> str:
    return f"{sheet.benchmark}, {sheet.database}: a second"


def _bar(bar: Bar, top: int, most: float) -> Iterator[str]:
    room = _WIDTH - _WORDS_WIDTH - _NUMBER_WIDTH
    width = max(1.0, round(room * bar.value / most, 1))
    fill = _OURS if bar.is_ours else _OTHERS
    weight = ' font-weight="bold"' if bar.is_ours else ""
    y = top + _BASELINE
    yield f'<text x="{_WORDS_WIDTH - 8}" y="{y}" text-anchor="end"{weight}>{escape(bar.says)}</text>'
    yield f'<rect x="{_WORDS_WIDTH}" y="{top}" width="{width}" height="14" fill="{fill}"/>'
    yield f'<text x="{_WORDS_WIDTH + width + 6}" y="{y}"{weight}>{bar.value:,.0f}</text>'
