"""In what do the two databases differ, as far as a transaction is concerned?"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import Engine


class Mode(Enum):
    """What a transaction is opened for."""

    READ = auto()
    WRITE = auto()
    MIGRATE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One database, and how a transaction in it begins."""

    engine: Engine
    schema: str | None
    """The PostgreSQL schema of our tables; SQLite has none."""

    writers: int
    """How many threads of this program may stand at the write lock: the one that writes and those that wait."""

    opening: Callable[[Mode, float], tuple[str, ...]]
    """The statements that open a transaction, given the seconds for which it may wait for the write lock."""

    in_transaction: Callable[[Any], bool]
    """Whether the driver's connection is still in the transaction that was opened, and can commit it."""
