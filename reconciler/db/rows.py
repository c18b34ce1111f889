"""How do many rows go in and out in one statement?

Named helpers around the two dialects' upserts, so that no other file speaks a dialect. Every list of ids is bounded by
the size of a batch (at most 200 items), well below what either database takes as parameters.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Table, func, or_
from sqlalchemy.dialects import postgresql, sqlite

from reconciler.db.session import Tx

Row = Mapping[str, Any] | RowMapping


# Statements are made once a table and shape: making them anew for each call costs more than running them.


def _insert(dialect: str, table: Table) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


@cache
def _insert_new(dialect: str, table: Table) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing()


@cache
def _upsert(dialect: str, table: Table, key: tuple[str, ...], update: tuple[str, ...]) -> Any:
    statement = _insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=key, set_={name: statement.excluded[name] for name in update}
    )


def insert_new(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows; one whose key is there already is left as it is."""
    if rows:
        tx.execute(_insert_new(tx.dialect.name, table), [dict(r) for r in rows])


def upsert(tx: Tx, table: Table, rows: Sequence[Row], *, keep: Iterable[str] = ()) -> None:
    """Insert the rows, or update all but the key and the columns to keep."""
    if rows:
        key = tuple(column.name for column in table.primary_key)
        update = tuple(name for name in rows[0] if name not in {*key, *keep})
        upsert_by(tx, table, rows, key=key, update=update)


def upsert_widening(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """Insert observations, or widen the span of the same observation made before."""
    if rows:
        tx.execute(_upsert_widening(tx.dialect.name, table), [dict(r) for r in rows])


@cache
def _upsert_widening(dialect: str, table: Table) -> Any:
    greatest = func.greatest if dialect == "postgresql" else func.max
    least = func.least if dialect == "postgresql" else func.min
    statement = _insert(dialect, table)
    new, old = statement.excluded, table.c
    return statement.on_conflict_do_update(
        index_elements=[column.name for column in table.primary_key],
        set_={
            "first_ms": least(old.first_ms, new.first_ms),
            "lo_ms": greatest(old.lo_ms, new.lo_ms),
            "hi_ms": greatest(old.hi_ms, new.hi_ms),
        },
        where=or_(new.first_ms < old.first_ms, new.lo_ms > old.lo_ms, new.hi_ms > old.hi_ms),
    )


def upsert_by(
    tx: Tx, table: Table, rows: Sequence[Row], *, key: Sequence[str], update: Sequence[str]
) -> None:
    """Insert the rows, or update the named columns of the row with the same unique key."""
    if rows:
        statement = _upsert(tx.dialect.name, table, tuple(key), tuple(update))
        tx.execute(statement, [dict(r) for r in rows])


def any_of(*pairs: tuple[ColumnElement[Any], Iterable[Any]]) -> ColumnElement[bool] | None:
    """`a in (...) or b in (...)`, without the empty ones; None where nothing is asked for."""
    asked = [(column, sorted(values)) for column, values in pairs]
    terms = [column.in_(values) for column, values in asked if values]
    return or_(*terms) if terms else None
