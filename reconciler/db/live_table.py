"""What does the database say of a table that is not ours?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Column, MetaData, Table, func, inspect, select, text, types

from reconciler.db.foreign import Kind
from reconciler.db.session import Tx

MOMENTS: Final = frozenset({Kind.MOMENT, Kind.LOCAL, Kind.DAY, Kind.EPOCH})

# Not by the information schema, which hides what we have no right to.
_WRITABLE: Final = text(
    "SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
    " JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE nspname = :schema AND relname = :name AND attnum > 0 AND NOT attisdropped"
    " AND attgenerated = '' AND pg_column_is_updatable(attrelid, attnum, true)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveColumn:
    """A column as the database tells of it.

    `said` is its type in the database's words, `labels` are the words that it allows where it does not allow any, `length` is
    that of a text, `scale` the number of decimals, where they are limited.
    """

    name: str
    kind: Kind | None
    said: str
    labels: tuple[str, ...] = ()
    length: int | None = None
    scale: int | None = None
    is_binary_fraction: bool = False
    can_be_written: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTable:
    """A table or view: its columns by name, and those of which no two rows have the same value."""

    name: str
    schema: str | None
    columns: Mapping[str, LiveColumn] = field(default_factory=dict)
    unique: frozenset[str] = frozenset()
    is_view: bool = False

    def table(self) -> Table:
        """The table for statements, without columns."""
        return Table(self.name, MetaData(), schema=self.schema)


def look_at(tx: Tx, table: str) -> LiveTable:
    """Look at a table by the name that the settings give; one without columns is not there.

    Without a schema it is PostgreSQL's `public`.
    """
    schema, _, name = table.rpartition(".")
    if tx.dialect.name == "sqlite":
        # A dot is a schema, and SQLite has none: such a table is not there.
        schema, name = "", table
    place = schema or ("public" if tx.dialect.name == "postgresql" else None)
    inspector = inspect(tx)
    is_view = name in inspector.get_view_names(place)
    if not is_view and name not in inspector.get_table_names(place):
        return LiveTable(name=name, schema=place)
    writable = _writable(tx, place, name, is_view=is_view)
    columns = [
        _column(each, can_be_written=writable is None or each["name"] in writable)
        for each in inspector.get_columns(name, place)
    ]
    return LiveTable(
        name=name,
        schema=place,
        columns={each.name: each for each in columns},
        unique=frozenset() if is_view else _unique(inspector, name, place),
        is_view=is_view,
    )


def names_beside(tx: Tx, schema: str | None) -> list[str]:
    """The names of the tables in a schema."""
    return inspect(tx).get_table_names(schema)


def grant(tx: Tx, table: Table, *, reads: bool = True, updates: Sequence[str]) -> str:
    """The line by which somebody gives our user these rights on a table of theirs."""
    columns = ", ".join(quoted(tx, each) for each in updates)
    rights = [*(["SELECT"] if reads else []), *([f"UPDATE ({columns})"] if columns else [])]
    return f"GRANT {', '.join(rights)} ON {quoted_table(tx, table)} TO {our_user(tx)}"


def our_user(tx: Tx) -> str:
    """Whom the database takes us for, as it is written in SQL."""
    return quoted(tx, str(tx.scalar(select(func.current_user()))))


def quoted(tx: Tx, name: str) -> str:
    """A name as it is written in SQL."""
    return tx.dialect.identifier_preparer.quote(name)


def quoted_table(tx: Tx, table: Table) -> str:
    """A table with its schema, as it is written in SQL."""
    return tx.dialect.identifier_preparer.format_table(table)


def epoch_columns(tx: Tx, live: LiveTable, names: list[str]) -> frozenset[str]:
    """Those of these columns that hold moments as milliseconds since 1970, as some libraries write them into SQLite."""
    if tx.dialect.name != "sqlite":
        return frozenset()
    table = live.table()
    found: dict[str, str | None] = {}
    for name in names:
        table.append_column(Column(name, types.NullType()))
        column = table.c[name]
        asked = select(func.typeof(column)).where(column.is_not(None)).limit(1)
        found[name] = tx.scalar(asked)
    held = set(found.values()) - {None}
    # A column that is still empty will hold what the others do.
    return frozenset(names if held == {"integer"} else ())


def _writable(tx: Tx, schema: str | None, name: str, *, is_view: bool) -> frozenset[str] | None:
    """The columns that can be written at all; None for all of them."""
    if tx.dialect.name == "sqlite":
        return frozenset() if is_view else None
    return frozenset(tx.scalars(_WRITABLE, {"schema": schema, "name": name}))


def _unique(inspector: Any, name: str, schema: str | None) -> frozenset[str]:
    lists = [inspector.get_pk_constraint(name, schema)["constrained_columns"]]
    lists += [each["column_names"] for each in inspector.get_unique_constraints(name, schema)]
    indexes = inspector.get_indexes(name, schema, include_auto_indexes=True)
    lists += [each["column_names"] for each in indexes if each["unique"] and not _is_partial(each)]
    return frozenset(columns[0] for columns in lists if len(columns) == 1 and columns[0])


def _is_partial(index: Any) -> bool:
    options = index.get("dialect_options", {})
    return any(name.endswith("_where") for name in options)


def _column(found: Any, *, can_be_written: bool) -> LiveColumn:
    type_ = found["type"]
    is_text = isinstance(type_, types.String) and not isinstance(type_, types.Enum)
    return LiveColumn(
        name=found["name"],
        kind=_kind(type_),
        said=str(type_) if not isinstance(type_, types.NullType) else "a type unknown to us",
        labels=tuple(type_.enums) if isinstance(type_, types.Enum) else (),
        length=type_.length if is_text else None,
        scale=type_.scale if isinstance(type_, types.Numeric) else None,
        is_binary_fraction=isinstance(type_, types.Float),
        can_be_written=can_be_written and "computed" not in found,
    )


def _kind(type_: Any) -> Kind | None:
    match type_:
        case types.Enum():
            return Kind.WORD
        case types.Boolean():
            return None
        case types.Uuid():
            return Kind.UUID
        case types.Integer():
            return Kind.INTEGER
        case types.Numeric() | types.Float():
            return Kind.NUMBER
        case types.DateTime():
            return Kind.MOMENT if type_.timezone else Kind.LOCAL
        case types.Date():
            return Kind.DAY
        case types.String():
            return Kind.TEXT
    return None
