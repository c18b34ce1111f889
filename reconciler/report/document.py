"""How is a report one JSON document for programs, however many rows it has?

Its shape is told by docs/report.schema.json; keys are the same in each language. One row is one line, and nothing but ASCII is
written, so that no text in it can steer a terminal. What is cut off while it is written is no JSON.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import IO, Any, Final

from reconciler.core.report import Report
from reconciler.report.opening import next_steps, notices
from reconciler.report.plain import members, run_facts
from reconciler.report.tables import TABLES
from reconciler.report.tongue import Tongue

VERSION: Final = 1
_MARKUP = {ord(each): f"\\u{ord(each):04x}" for each in "<>&"}


def write_document(report: Report, stream: IO[bytes], tongue: Tongue) -> None:
    """Write all of a report, a row at a time."""
    for line in _lines(report, tongue):
        stream.write(line.encode("ascii"))


def _lines(report: Report, tongue: Tongue) -> Iterator[str]:
    opening = {
        "state": report.head.state.value,
        "is_complete": report.is_complete,
        "is_dry": report.head.is_dry,
        "notices": notices(report, tongue),
        "format": "stripe-payment-reconciler.report",
        "version": VERSION,
        "language": tongue.language,
        "run": run_facts(report),
        "next_steps": next_steps(report, tongue),
        "open_questions": report.open_questions,
    }
    before = "{"
    for key, value in opening.items():
        yield f"{before}{_json(key)}: {_json(value)}"
        before = ",\n "
    for table in TABLES:
        yield f"{before}{_json(table.key)}: "
        yield from _rows(members(table, row) for row in table.rows(report))
    yield "}\n"


def _rows(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    before = "["
    for row in rows:
        yield f"{before}\n  {_json(row)}"
        before = ","
    yield "[]" if before == "[" else "\n ]"


def _json(value: Any) -> str:
    text = json.dumps(value, default=_encodable)
    # These stand only inside of strings, where their codes mean the same, and where a browser could take them for markup.
    return text.translate(_MARKUP)


def _encodable(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} has no place in a report")
