"""How do many rows go in and out in one statement?

Named helpers around the two dialects' upserts, so that no other file speaks a dialect. Every list of ids is bounded by
the size of a batch (at most 200 items), well below what either database takes as parameters.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import (
    JSON,
    ColumnElement,
    LargeBinary,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator

from reconciler.db.prepared import Row, write, write_all
from reconciler.db.session import Tx
from reconciler.db.types import UtcDateTime, in_utc

_Names = tuple[str, ...]
_ROWS: Final = "reconciler_rows"


class _Rows(TypeDecorator[Sequence[Row]]):
    """Rows in one parameter."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[Row] | None, dialect: Any) -> str:  # noqa: ARG002 - the signature is SQLAlchemy's
        return msgspec.json.encode(value, enc_hook=dict).decode()


def insert(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows, none of which may be there."""
    if rows:
        _put(tx, table, rows, _insert)


def insert_new(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows; one whose key is there already is left as it is."""
    if rows:
        _put(tx, table, rows, _insert_new)


def upsert(tx: Tx, table: Table, rows: Sequence[Row], *, keep: Iterable[str] = ()) -> None:
    """Insert the rows, or update all but the key and the columns to keep."""
    if rows:
        key = tuple(each.name for each in table.primary_key)
        update = tuple(name for name in rows[0] if name not in {*key, *keep})
        upsert_by(tx, table, rows, key=key, update=update)


def upsert_by(
    tx: Tx, table: Table, rows: Sequence[Row], *, key: Sequence[str], update: Sequence[str]
) -> None:
    """Insert the rows, or update the named columns of the row with the same unique key, of which there is one a row."""
    if rows:
        _put(tx, table, rows, _upsert, tuple(key), tuple(update))


def upsert_widening(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """Insert observations, or widen the span of the same observation made before."""
    if rows:
        _put(tx, table, rows, _upsert_widening)


def any_of(*pairs: tuple[ColumnElement[Any], Iterable[Any]]) -> ColumnElement[bool] | None:
    """`a in (...) or b in (...)`, without the empty ones; None where nothing is asked for."""
    asked = [(column, sorted(values)) for column, values in pairs]
    terms = [column.in_(values) for column, values in asked if values]
    return or_(*terms) if terms else None


def _put(tx: Tx, table: Table, rows: Sequence[Row], make: Any, *shape: _Names) -> None:
    """Write rows by the insert that `make` makes of a table and a shape.

    SQLite takes rows one after the other, at the price of a call. To PostgreSQL each would be a message, so that all
    rows travel as one parameter: JSON, as long as nothing in them are bytes.
    """
    names = tuple(str(name) for name in rows[0])
    statement = make(tx.dialect.name, table, names, *shape)
    if _travels_whole(tx.dialect.name, table):
        _require_same_columns(rows)
        _require_zones(rows, _moments(table) & set(names))
        write(tx, statement, **{_ROWS: rows})
    else:
        write_all(tx, statement, rows)


@cache
def _moments(table: Table) -> frozenset[str]:
    return frozenset(each.name for each in table.c if isinstance(each.type, UtcDateTime))


def _require_same_columns(rows: Sequence[Row]) -> None:
    """Refuse what JSON would let through: a column that one row leaves out would be NULL."""
    for each in rows:
        if each.keys() != rows[0].keys():
            raise KeyError(f"{each.keys() ^ rows[0].keys()} are not in all rows")


def _require_zones(rows: Sequence[Row], names: Iterable[str]) -> None:
    """Refuse what JSON would let through: a naive datetime, of which the server would think that it is in UTC."""
    for moment in {row[name] for name in names for row in rows} - {None}:
        in_utc(moment)


@cache
def _travels_whole(dialect: str, table: Table) -> bool:
    has_bytes = any(isinstance(each.type, LargeBinary) for each in table.c)
    return dialect == "postgresql" and not has_bytes


@cache
def _insert(dialect: str, table: Table, names: _Names) -> Any:
    if not _travels_whole(dialect, table):
        return (postgresql if dialect == "postgresql" else sqlite).insert(table)
    columns = [column(name, table.c[name].type) for name in names]
    told = func.json_to_recordset(cast(bindparam(_ROWS, type_=_Rows()), JSON))
    rows = told.table_valued(*columns, name="new").render_derived(with_types=True)
    return postgresql.insert(table).from_select(names, select(*rows.c), include_defaults=False)


@cache
def _insert_new(dialect: str, table: Table, names: _Names) -> Any:
    return _insert(dialect, table, names).on_conflict_do_nothing()


@cache
def _upsert(dialect: str, table: Table, names: _Names, key: _Names, update: _Names) -> Any:
    statement = _insert(dialect, table, names)
    return statement.on_conflict_do_update(
        index_elements=key, set_={name: statement.excluded[name] for name in update}
    )


@cache
def _upsert_widening(dialect: str, table: Table, names: _Names) -> Any:
    greatest = func.greatest if dialect == "postgresql" else func.max
    least = func.least if dialect == "postgresql" else func.min
    statement = _insert(dialect, table, names)
    new, old = statement.excluded, table.c
    return statement.on_conflict_do_update(
        index_elements=[each.name for each in table.primary_key],
        set_={
            "first_ms": least(old.first_ms, new.first_ms),
            "lo_ms": greatest(old.lo_ms, new.lo_ms),
            "hi_ms": greatest(old.hi_ms, new.hi_ms),
        },
        where=or_(new.first_ms < old.first_ms, new.lo_ms > old.lo_ms, new.hi_ms > old.hi_ms),
    )
