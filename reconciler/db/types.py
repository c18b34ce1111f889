"""How does a moment, or a large number, look in a column?"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

BigInt = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both. SQLite counts a primary key up only if it is called INTEGER, which is as wide there."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC. PostgreSQL: timestamptz. SQLite: text of a fixed length, which sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type; SQLite has none for moments."""
        own: TypeEngine[Any] = Text() if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Refuse a naive datetime: nobody can say which moment it means."""
        if value is None:
            return None
        if dialect.name != "sqlite":
            return in_utc(value)
        return _text(value) if value.tzinfo is UTC else _text.__wrapped__(value)

    def process_result_value(
        self,
        value: datetime | str | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> datetime | None:
        """Return an aware datetime in UTC."""
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)


def in_utc(value: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for a naive datetime."""
    if value.utcoffset() is None:
        raise ValueError("a datetime without a time zone cannot be stored")
    return value.astimezone(UTC)


# A batch says the same few moments in all its rows. For moments in UTC only: in another zone the two that a clock shows
# twice are equal.
@lru_cache(maxsize=256)
def _text(value: datetime) -> str:
    return in_utc(value).isoformat(timespec="microseconds")
