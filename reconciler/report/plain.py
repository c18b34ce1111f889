"""How does a program read a report: which members has each row, whatever the language?

Each amount is there twice: in whole minor units, and in major units with a point.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from reconciler.core.money import to_major
from reconciler.core.report import Report
from reconciler.report.tables import Cell, Column, Table

Plain = str | int | bool | Decimal | tuple[str, ...] | None


def names(table: Table) -> tuple[str, ...]:
    """The members of each row, in their order."""
    return tuple(name for column in table.columns for name in _names(column))


def members(table: Table, row: Any) -> dict[str, Plain]:
    """What a row says, by name."""
    found: dict[str, Plain] = {}
    for column in table.columns:
        value = column.of(row)
        if column.cell is Cell.AMOUNT:
            found[column.field] = value
            found[column.key] = major(value, column.currency_of(row))
        elif column.cell in {Cell.TEXT, Cell.WORTH}:
            found[column.key] = column.text(row)
        else:
            found[column.key] = _plain(value)
    return found


def major(amount_minor: int | None, currency: str) -> Decimal | None:
    """An amount in major units; None where it or its currency is not known."""
    if amount_minor is None:
        return None
    try:
        return to_major(amount_minor, currency)
    except ValueError:
        return None


def run_facts(report: Report) -> Mapping[str, Plain]:
    """Who asked for what, and what came of it."""
    head = report.head
    values = {
        "id": head.id,
        "first_day": head.first_day,
        "last_day": head.last_day,
        "zone": head.zone,
        "is_dry": head.is_dry,
        "state": head.state.value,
        "is_complete": report.is_complete,
        "by": head.by,
        "asked_at": head.asked_at,
        "started_at": head.started_at,
        "ended_at": head.ended_at,
        "covered_from": head.covered_from,
        "covered_until": head.covered_until,
        "day_not_over": head.day_not_over,
        "requests": head.requests,
        "objects": head.objects,
        "error": head.error,
        "signed_by": head.signed_by,
        "signed_at": head.signed_at,
        "made_at": report.made_at,
    }
    return {key: _plain(value) for key, value in values.items()}


def _names(column: Column) -> tuple[str, ...]:
    return (column.field, column.key) if column.cell is Cell.AMOUNT else (column.key,)


def _plain(value: Any) -> Plain:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value  # type: ignore[no-any-return]
