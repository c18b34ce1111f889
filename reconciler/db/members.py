"""How is a column compared with hundreds of values, without a parameter for each?

SQLAlchemy makes the text of `IN (?, ?, ...)` anew for every call, which costs more than the database takes to find the rows.
Here all values are one parameter: JSON on SQLite, an array on PostgreSQL.
"""

from collections.abc import Collection, Iterable
from typing import Any, Self

import msgspec
from sqlalchemy import ARRAY, Boolean, ColumnElement, Dialect, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Texts(TypeDecorator[Collection[str]]):
    """Texts in one parameter."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        own: TypeEngine[Any] = Text() if dialect.name == "sqlite" else ARRAY(Text())
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: Collection[str] | None, dialect: Dialect) -> Any:
        texts = sorted(value or ())
        return msgspec.json.encode(texts).decode() if dialect.name == "sqlite" else texts


class _OneOf(FunctionElement[bool]):
    """A column of text, and the texts of which it must be one."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Self:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Stay as it is: `... = 1`, as SQLite's missing booleans are asked for else, would keep it from an index."""
        return self


def one_of(column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """`column in (...)` for a column of text."""
    return _OneOf(column, bindparam(None, set(values), type_=_Texts(), unique=True))


def one_of_those(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The same for a statement that is kept: the values are its parameter with this name."""
    return _OneOf(column, bindparam(name, type_=_Texts()))


@compiles(_OneOf, "sqlite")
def _on_sqlite(element: _OneOf, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(each, **kw) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both were compiled


@compiles(_OneOf, "postgresql")
def _on_postgresql(element: _OneOf, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(each, **kw) for each in element.clauses)
    return f"{column} = ANY ({values})"
