"""How do many rows go in and out in one statement?

Named helpers around the two dialects' upserts, so that no other file speaks a dialect. Every list of ids is bounded by
the size of a batch (at most 200 items), well below what either database takes as parameters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Dialect, RowMapping, Table, func, or_
from sqlalchemy.dialects import postgresql, sqlite

from reconciler.db.session import Tx

Row = Mapping[str, Any] | RowMapping


# Statements are made once a table and shape: making them anew for each call costs more than running them.


@dataclass(frozen=True, slots=True)
class _Ready:
    """A statement as the driver takes it: its parameters in order, each with what makes of a value what the driver stores."""

    text: str
    parameters: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    is_positional: bool


_ready: dict[tuple[Any, tuple[str, ...], str | None], _Ready] = {}


def write_all(tx: Tx, statement: Any, rows: Sequence[Row]) -> None:
    """Execute a statement, one that is made once and kept, for each of the rows; all have the same columns.

    SQLAlchemy prepares each row by itself, and that costs more than the database does; here whole columns are prepared.
    What a column is where a row says nothing must be the database's matter.
    """
    schema = tx.get_execution_options().get("schema_translate_map", {}).get(None)
    key = (statement, tuple(str(name) for name in rows[0]), schema)
    ready = _ready.get(key)
    if ready is None:
        ready = _ready[key] = _made_ready(tx.dialect, *key)
    columns = [
        map(itemgetter(name), rows)
        if prepare is None
        else map(prepare, map(itemgetter(name), rows))
        for name, prepare in ready.parameters
    ]
    values = list(zip(*columns, strict=True))
    if ready.is_positional:
        tx.exec_driver_sql(ready.text, values)
    else:
        names = [name for name, _ in ready.parameters]
        tx.exec_driver_sql(ready.text, [dict(zip(names, row, strict=True)) for row in values])


def _made_ready(
    dialect: Dialect, statement: Any, names: tuple[str, ...], schema: str | None
) -> _Ready:
    made = statement.compile(
        dialect=dialect,
        column_keys=list(names),
        schema_translate_map=schema and {None: schema},
        render_schema_translate=schema is not None,
    )
    order = names if made.positiontup is None else made.positiontup
    parameters = tuple(
        (name, made.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
        for name in order
    )
    return _Ready(str(made), parameters, made.positiontup is not None)


@cache
def _insert_only(table: Table) -> Any:
    return table.insert()


def insert(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows, none of which may be there."""
    if rows:
        write_all(tx, _insert_only(table), rows)


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
        write_all(tx, _insert_new(tx.dialect.name, table), rows)


def upsert(tx: Tx, table: Table, rows: Sequence[Row], *, keep: Iterable[str] = ()) -> None:
    """Insert the rows, or update all but the key and the columns to keep."""
    if rows:
        key = tuple(column.name for column in table.primary_key)
        update = tuple(name for name in rows[0] if name not in {*key, *keep})
        upsert_by(tx, table, rows, key=key, update=update)


def upsert_widening(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """Insert observations, or widen the span of the same observation made before."""
    if rows:
        write_all(tx, _upsert_widening(tx.dialect.name, table), rows)


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
        write_all(tx, statement, rows)


def any_of(*pairs: tuple[ColumnElement[Any], Iterable[Any]]) -> ColumnElement[bool] | None:
    """`a in (...) or b in (...)`, without the empty ones; None where nothing is asked for."""
    asked = [(column, sorted(values)) for column, values in pairs]
    terms = [column.in_(values) for column, values in asked if values]
    return or_(*terms) if terms else None
