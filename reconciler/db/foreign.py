"""How does a value of the app's own table look to us, and ours to it?

Types for columns that somebody else has made. They send a value as it is and leave its type to the column: PostgreSQL has
no comparison between an enum, a UUID or an integer and a text.
"""

from datetime import UTC, date, datetime, time, tzinfo
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Dialect
from sqlalchemy.types import TypeDecorator, UserDefinedType

_BIGINT_MAX = 2**63 - 1
_DIGITS_MAX = 19
# In the year 5138 as seconds, in 1973 as milliseconds.
_SECONDS_MAX = 10**11


class Kind(StrEnum):
    """What a column holds, as far as it matters to us."""

    TEXT = "text"
    WORD = "enum"
    INTEGER = "integer"
    UUID = "uuid"
    NUMBER = "decimal"
    MOMENT = "timestamp with time zone"
    LOCAL = "timestamp"
    DAY = "date"
    EPOCH = "milliseconds since 1970"


class AsItIs(UserDefinedType[Any]):
    """A value that is sent as the driver sends it, without a cast."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Nobody makes such a column."""
        raise NotImplementedError


class Unreadable:
    """What a column of moments holds that is none. One row's fault must not keep the others from being read."""


UNREADABLE = Unreadable()


class AsMoment(TypeDecorator[datetime]):
    """An aware moment in UTC, in a column that may hold less: no zone, only the day in a zone, or a number."""

    impl = AsItIs
    cache_ok = True

    def __init__(self, kind: Kind, zone: tzinfo = UTC) -> None:
        super().__init__()
        self.kind = kind
        self.zone = zone

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write a moment as the column holds it."""
        if value is None or self.kind is Kind.MOMENT:
            return value
        if self.kind is Kind.EPOCH:
            return int(value.timestamp() * 1000)
        if self.kind is Kind.DAY:
            day = value.astimezone(self.zone).date()
            return day.isoformat() if dialect.name == "sqlite" else day
        plain = value.astimezone(UTC).replace(tzinfo=None)
        # As SQLite's own CURRENT_TIMESTAMP writes it.
        return plain.isoformat(sep=" ") if dialect.name == "sqlite" else plain

    def process_result_value(
        self,
        value: Any,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> Any:
        """Read a moment; one without a zone is in UTC, and a day is its midnight in the zone."""
        if value is None or value == "":
            return None
        try:
            found = _moment(value)
            zone = self.zone if self.kind is Kind.DAY else UTC
            return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            return UNREADABLE


def _moment(value: Any) -> datetime:
    match value:
        case bool():
            raise ValueError("a column of moments holds something else")
        case int():
            return datetime.fromtimestamp(value / 1000 if abs(value) > _SECONDS_MAX else value, UTC)
        case str():
            return datetime.fromisoformat(value)
        case datetime():
            return value
        case date():
            return datetime.combine(value, time.min)
    raise ValueError("a column of moments holds something else")


def keys_of(kind: Kind, values: Any) -> list[Any]:
    """Those of these texts that a key of such a column could be written as, in the column's own form.

    `007` is no way to write the key 7: look-alikes are not guessed at.
    """
    found = (_key(kind, each) for each in values)
    return sorted(each for each in found if each is not None)


def _key(kind: Kind, value: str) -> Any:
    if kind is Kind.INTEGER:
        digits = value.removeprefix("-")
        is_plain = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX
        number = int(value) if is_plain else None
        fits = number is not None and str(number) == value and abs(number) <= _BIGINT_MAX
        return number if fits else None
    if kind is Kind.UUID:
        try:
            return value if str(UUID(value)) == value else None
        except ValueError:
            return None
    return value
