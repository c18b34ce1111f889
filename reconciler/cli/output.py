"""How do results look: a table that fits a terminal, or JSON for programs?

Text that came from Stripe or from a payer is hostile: control characters are made visible before anything is printed.
"""

import json
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.core.hostile import visible
from reconciler.core.money import format_amount

_BETWEEN: Final = 2
"""What a table leaves between two columns."""


def complain(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"reconciler: {safe(line)}\n")


def say(line: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(safe(line) + "\n")


def say_wrapped(line: str, indent: str = "") -> None:
    """One line, broken where the terminal ends; what follows is indented, and no id is broken that fits a line."""
    width = shutil.get_terminal_size().columns
    shown = textwrap.wrap(
        safe(line), width, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True
    )
    for each in shown:
        say(each)


def say_json(value: Any) -> None:
    """Print a value as JSON; times in ISO 8601, bytes as text."""
    text = msgspec.json.encode(value, enc_hook=_encodable, order="sorted").decode()
    sys.stdout.write("".join(map(_escaped, text)) + "\n")


def _escaped(each: str) -> str:
    """A character as JSON may write it; one that steers a terminal can stand only inside a string."""
    return each if each.isprintable() else json.dumps(each)[1:-1]


def _encodable(value: Any) -> Any:
    return str(value)


def table(  # noqa: PLR0913 - how a table looks
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    empty: str,
    whole: str = "",
    spare: str = "",
    right: Collection[str] = (),
) -> None:
    """Print rows under their heads, or one sentence where there are none.

    Where the terminal is too narrow, the column `spare` is left out, and the others are broken before a word of `whole`.
    `right` are columns of numbers, beside those that are everywhere.
    """
    lines = [list(map(cell, row)) for row in rows]
    if not lines:
        say(empty)
        return
    console = Console(file=sys.stdout, highlight=False, soft_wrap=False)
    held = dict(zip(columns, zip(*lines, strict=True), strict=True))
    widths = {name: max(map(cell_len, (name, *cells))) for name, cells in held.items()}
    if sum(widths.values()) + _BETWEEN * (len(widths) - 1) > console.width:
        held.pop(spare, None)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name, cells in held.items():
        is_number = name in {"amount", "due", "missing", "received", "net", *right}
        width = _whole_width((name, *cells), console.width // 2) if name == whole else None
        justify: Literal["right", "left"] = "right" if is_number else "left"
        shown.add_column(name, justify=justify, overflow="fold", width=width)
    for line in zip(*held.values(), strict=True):
        shown.add_row(*map(Text, line))
    console.print(shown)


def _whole_width(cells: Sequence[str], most: int) -> int | None:
    """The width at which no word of a column is broken, its cells on one line if there is room; None if there is none."""
    words = [word for each in cells for word in each.split()]
    fit = (max(map(cell_len, each), default=0) for each in (cells, words))
    return next((width for width in fit if 0 < width <= most), None)


def details(pairs: Mapping[str, Any]) -> None:
    """Print names and values, each value broken under itself where the terminal ends."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        say_wrapped(f"{name:<{width}}  {cell(value)}", " " * (width + 2))


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe(str(value))


def money(amount_minor: int | None, currency: str) -> str:
    """An amount with its currency; minor units as they are where the currency is not known."""
    if amount_minor is None:
        return "-"
    try:
        return format_amount(amount_minor, currency)
    except ValueError:
        return f"{amount_minor} {currency}".strip()


def safe(text: str) -> str:
    """Text without control characters or marks that reorder what is shown."""
    return visible(text)
