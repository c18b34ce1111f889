"""How is a report a folder of CSV files, one a table, that a spreadsheet opens and a program reads?

UTF-8 with a byte order mark, without which Excel takes accents for something else. Heads and words are the same in each language.
If the numbers are not whole, not real or not final, each file begins with a line that says so, before its heads: whoever reads
it by program must not take it for a whole one.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from reconciler.core.hostile import visible
from reconciler.core.report import Report
from reconciler.report.opening import next_steps, notices
from reconciler.report.plain import Plain, members, names, run_facts
from reconciler.report.tables import TABLES
from reconciler.report.tongue import Tongue

FILES = frozenset({"summary.csv", *(f"{table.key}.csv" for table in TABLES)})

# A cell that begins so, also in full width, is a formula for one program or another. Behind a mark that some languages separate cells with, a cell
# may begin as well.
_FORMULA = re.compile(r"(^|[;,|])([\s\"']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_STEERING = ("\t", "\r", "\n")


def write_tables(report: Report, folder: Path, tongue: Tongue) -> None:
    """Write every table of a report into a folder."""
    first = [[each] for each in notices(report, tongue)]
    _write(folder / "summary.csv", [*first, ["key", "value"]], _summary(report, tongue))
    for table in TABLES:
        rows = (list(members(table, row).values()) for row in table.rows(report))
        _write(folder / f"{table.key}.csv", [*first, list(names(table))], rows)


def cell(value: Plain) -> str | int | Decimal:
    """A value as a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return value
    text = " ".join(value) if isinstance(value, tuple) else value
    shown = _FORMULA.sub(r"\1'\2", visible(text))
    return f"'{shown}" if text.startswith(_STEERING) else shown


def _summary(report: Report, tongue: Tongue) -> Iterator[list[Plain]]:
    for key, value in run_facts(report).items():
        yield [key, value]
    yield ["open_questions", report.open_questions]
    for step in next_steps(report, tongue):
        yield ["next_step", step]


def _write(path: Path, first: Iterable[Sequence[str]], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC)
        for each in first:
            writer.writerow([cell(text) for text in each])
        for row in rows:
            writer.writerow([cell(value) for value in row])
