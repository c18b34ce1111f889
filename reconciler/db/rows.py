"""How do many rows go in and out in one statement?

Named helpers around the two dialects' upserts, so that no other file speaks a dialect. Every list of ids is bounded by
the size of a batch (at most 200 items), well below what either database takes as parameters.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Table, func, or_
from sqlalchemy.dialects import postgresql, sqlite

from reconciler.db.session import Tx

Row = Mapping[str, Any] | RowMapping


def _insert(tx: Tx, table: Table) -> Any:
    return (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(table)


def insert_new(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows; one whose key is there already is left as it is."""
    if rows:
        tx.execute(_insert(tx, table).on_conflict_do_nothing(), [dict(r) for r in rows])


def upsert(tx: Tx, table: Table, rows: Sequence[Row], *, keep: Iterable[str] = ()) -> None:
    """Insert the rows, or update all but the key and the columns to keep."""
    if not rows:
        return
    key = [column.name for column in table.primary_key]
    statement = _insert(tx, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in {*key, *keep}}
    tx.execute(
        statement.on_conflict_do_update(index_elements=key, set_=changed), [dict(r) for r in rows]
    )


def upsert_widening(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """Insert observations, or widen the span of the same observation made before."""
    if not rows:
        return
    greatest = func.greatest if tx.dialect.name == "postgresql" else func.max
    least = func.least if tx.dialect.name == "postgresql" else func.min
    statement = _insert(tx, table)
    new, old = statement.excluded, table.c
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=[column.name for column in table.primary_key],
            set_={
                "first_ms": least(old.first_ms, new.first_ms),
                "lo_ms": greatest(old.lo_ms, new.lo_ms),
                "hi_ms": greatest(old.hi_ms, new.hi_ms),
            },
            where=or_(new.first_ms < old.first_ms, new.lo_ms > old.lo_ms, new.hi_ms > old.hi_ms),
        ),
        [dict(r) for r in rows],
    )


def upsert_by(
    tx: Tx, table: Table, rows: Sequence[Row], *, key: Sequence[str], update: Sequence[str]
) -> None:
    """Insert the rows, or update the named columns of the row with the same unique key."""
    if not rows:
        return
    statement = _insert(tx, table)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=list(key), set_={name: statement.excluded[name] for name in update}
        ),
        [dict(r) for r in rows],
    )


def any_of(*pairs: tuple[ColumnElement[Any], Iterable[Any]]) -> ColumnElement[bool] | None:
    """`a in (...) or b in (...)`, without the empty ones; None where nothing is asked for."""
    asked = [(column, sorted(values)) for column, values in pairs]
    terms = [column.in_(values) for column, values in asked if values]
    return or_(*terms) if terms else None
