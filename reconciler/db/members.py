"""How is a column compared with hundreds of values, without a parameter for each?

SQLAlchemy makes the text of `IN (?, ?, ...)` anew for every call, which costs more than the database takes to find the rows.
Here all values are one parameter: JSON on SQLite, an array on PostgreSQL.
"""

from collections.abc import Iterable
from typing import Any, Self

import msgspec
from sqlalchemy import ARRAY, Boolean, ColumnElement, Dialect, Text, bindparam, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Texts(TypeDecorator[list[str]]):
    """Texts in one parameter."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        own: TypeEngine[Any] = Text() if dialect.name == "sqlite" else ARRAY(Text())
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:
        return msgspec.json.encode(value).decode() if dialect.name == "sqlite" else value


class _OneOf(FunctionElement[bool]):
    """A column of text, and the texts of which it must be one."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Self:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Stay as it is: `... = 1`, as SQLite's missing booleans are asked for else, would keep it from an index."""
        return self


def one_of(column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """`column in (...)` for a column of text."""
    return _OneOf(column, bindparam(None, sorted(values), type_=_Texts(), unique=True))


def among(*pairs: tuple[ColumnElement[Any], Iterable[str]]) -> ColumnElement[bool] | None:
    """`a in (...) or b in (...)` for columns of text, without the empty ones; None where nothing is asked for."""
    asked = [(column, list(values)) for column, values in pairs]
    terms = [one_of(column, values) for column, values in asked if values]
    return or_(*terms) if terms else None


@compiles(_OneOf, "sqlite")
def _on_sqlite(element: _OneOf, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(each, **kw) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both were compiled


@compiles(_OneOf, "postgresql")
def _on_postgresql(element: _OneOf, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(each, **kw) for each in element.clauses)
    return f"{column} = ANY ({values})"
