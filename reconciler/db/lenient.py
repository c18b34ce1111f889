"""How is a moment read that PostgreSQL has and Python has not, like `infinity`, a year before Christ or the year 20000?

As its text: what one row of the app's table holds must not keep the others from being read.
https://www.psycopg.org/psycopg3/docs/basic/adapt.html#infinity-dates-handling
"""

from typing import Any

from psycopg import Connection, DataError
from psycopg.abc import AdaptContext, Buffer, Loader
from psycopg.pq import Format

_MOMENTS = ("timestamptz", "timestamp", "date")


def register(connection: Connection[Any]) -> None:
    """Let all that this connection reads be read so."""
    for name in _MOMENTS:
        oid = connection.adapters.types[name].oid
        for form in Format:
            strict = connection.adapters.get_loader(oid, form)
            if strict is not None:
                connection.adapters.register_loader(oid, _lenient(strict))


def _lenient(strict: type[Loader]) -> type[Loader]:
    class Lenient:
        format = strict.format

        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            self._strict = strict(oid, context)

        def load(self, data: Buffer) -> Any:
            try:
                return self._strict.load(data)
            except DataError:
                return bytes(data).decode(errors="replace")

    return Lenient
