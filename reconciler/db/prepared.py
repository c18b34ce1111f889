"""How is a statement run that is made once and kept?

SQLAlchemy can keep the text of a statement, but to find it again it makes the statement anew, compares it and prepares each
value by itself, which costs several times what the database takes. Here a statement is compiled once a schema, and whole
columns are prepared. Such a statement must live as long as the program: of a module, or cached by what it is made of.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Dialect, RowMapping
from sqlalchemy.sql.compiler import SQLCompiler

from reconciler.db.session import Tx

Row = Mapping[str, Any] | RowMapping
_Prepare: TypeAlias = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A statement as the driver takes it: its parameters in order, and the columns of its rows.

    `parameters` are each a name, what makes of a value what the driver stores, and what the statement itself says it is.
    """

    text: str
    parameters: tuple[tuple[str, _Prepare, Any], ...]
    is_positional: bool
    names: tuple[str, ...]
    columns: tuple[_Prepare, ...]


_ready: dict[tuple[Any, tuple[str, ...] | None, str | None, str], _Ready] = {}


def read(tx: Tx, statement: Any, **values: Any) -> list[Sequence[Any]]:
    """The rows that a query finds, its parameters being `values`."""
    return _found(tx, _made(tx, statement, None), values)


def read_named(tx: Tx, statement: Any, **values: Any) -> list[dict[str, Any]]:
    """The same, each row under the names of its columns."""
    ready = _made(tx, statement, None)
    return [dict(zip(ready.names, row, strict=True)) for row in _found(tx, ready, values)]


def read_those(tx: Tx, statement: Any, ids: Collection[str]) -> list[dict[str, Any]]:
    """The same of a query whose parameter is `ids`; where there are none, nobody is asked."""
    return read_named(tx, statement, ids=ids) if ids else []


def _found(tx: Tx, ready: _Ready, values: Mapping[str, Any]) -> list[Sequence[Any]]:
    rows = _run(tx, ready, values).all()
    columns = [
        column if prepare is None else map(prepare, column)
        for prepare, column in zip(ready.columns, zip(*rows, strict=True), strict=False)
    ]
    return list(zip(*columns, strict=True))


def write(tx: Tx, statement: Any, **values: Any) -> None:
    """Execute a statement that changes rows, its parameters being `values`."""
    _run(tx, _made(tx, statement, None), values)


def write_all(tx: Tx, statement: Any, rows: Sequence[Row]) -> None:
    """Execute a statement for each of the rows, all of which have the same names.

    What a column is where a row says nothing must be the database's matter.
    """
    ready = _made(tx, statement, tuple(str(name) for name in rows[0]))
    columns = [
        map(itemgetter(name), rows)
        if prepare is None
        else map(prepare, map(itemgetter(name), rows))
        for name, prepare, _ in ready.parameters
    ]
    values = list(zip(*columns, strict=True))
    if ready.is_positional:
        tx.exec_driver_sql(ready.text, values)
    else:
        names = [name for name, *_ in ready.parameters]
        tx.exec_driver_sql(ready.text, [dict(zip(names, row, strict=True)) for row in values])


def _run(tx: Tx, ready: _Ready, values: Mapping[str, Any]) -> Any:
    told = [
        (name, prepare(value) if prepare is not None else value)
        for name, prepare, own in ready.parameters
        for value in [values[name] if own is None else values.get(name, own)]
    ]
    if ready.is_positional:
        return tx.exec_driver_sql(ready.text, tuple(value for _, value in told))
    return tx.exec_driver_sql(ready.text, dict(told))


def _made(tx: Tx, statement: Any, names: tuple[str, ...] | None) -> _Ready:
    schema = tx.get_execution_options().get("schema_translate_map", {}).get(None)
    key = (statement, names, schema, tx.dialect.name)
    ready = _ready.get(key)
    if ready is None:
        ready = _ready[key] = _made_ready(tx.dialect, statement, names, schema)
    return ready


def _made_ready(
    dialect: Dialect, statement: Any, names: tuple[str, ...] | None, schema: str | None
) -> _Ready:
    made: SQLCompiler = statement.compile(
        dialect=dialect,
        column_keys=None if names is None else list(names),
        schema_translate_map=schema and {None: schema},
        render_schema_translate=schema is not None,
    )
    own = made.params
    order = tuple(own) if made.positiontup is None else made.positiontup
    found = getattr(statement, "selected_columns", ())
    return _Ready(
        text=str(made),
        parameters=tuple((name, _bound(made, name, dialect), own[name]) for name in order),
        is_positional=made.positiontup is not None,
        names=tuple(column.key for column in found),
        columns=tuple(
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in found
        ),
    )


def _bound(made: SQLCompiler, name: str, dialect: Dialect) -> _Prepare:
    return made.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
