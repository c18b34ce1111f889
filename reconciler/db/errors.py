"""When the database refuses: is the whole transaction lost, or only this statement?

The two answers lead to different deeds. A lost transaction is answered with 503, or tried again later as
a whole; a refused statement concerns one item, and its neighbours in the same transaction go on.
SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
SQLite: https://www.sqlite.org/rescode.html
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import exc


class StorageUnavailable(Exception):  # noqa: N818 - it names a state of the world, not a mistake
    """The whole transaction is lost, or it is unknown whether it was committed. Try again later."""


class StatementFailed(Exception):  # noqa: N818 - the same
    """This one statement was refused; rolled back to a savepoint, its transaction can go on."""


class RowHeld(StatementFailed):
    """A row or table that the statement needs is held by somebody else, for longer than one item is worth waiting."""


_SQLITE_STATEMENT_CODES = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
    }
)

# Classes of SQLSTATE, their first two characters. 40 and 55 are here because one writer at a time leaves
# only the app as the other party of a deadlock or of a lock that is not to be had: the row is the app's,
# and so only the item that wants it must wait. Every class that is not named means a lost transaction.
_SQLSTATE_STATEMENT_CLASSES = frozenset(
    {"0A", "21", "22", "23", "27", "2F", "38", "39", "40", "42", "44", "54", "55", "P0"}
)
# What no server has given a code did not come from one.
_NO_SERVER = "check that it runs, and that DATABASE_URL is right"
_LOCK_NOT_AVAILABLE = "55P03"
_STATEMENT_COMPLETION_UNKNOWN = "40003"


def translated(error: BaseException) -> BaseException:
    """Return what callers of this package see of `error`; the error itself if it is not the database's."""
    match error:
        case exc.DBAPIError():
            return refused(error) if _concerns_one_statement(error) else unavailable(error)
        case exc.TimeoutError():
            return StorageUnavailable("every connection to the database is in use")
        case exc.PendingRollbackError() | exc.ResourceClosedError():
            return StorageUnavailable("the transaction was lost before this statement")
        case exc.StatementError(orig=BaseException() as cause):
            return cause  # A type of ours refused the value, before the database saw it.
        case OverflowError() | UnicodeEncodeError():
            # The drivers refuse such values themselves and do not wrap the error.
            return StatementFailed("a value does not fit into any column")
        case _:
            return error


@contextmanager
def translating() -> Iterator[None]:
    """Let no error of SQLAlchemy or of a driver leave the block.

    The original is cut off, because its text may hold row data; its traceback is kept, because it tells
    which statement it was.
    """
    try:
        yield
    except BaseException as error:
        seen = translated(error)
        if seen is error:
            raise
        raise seen.with_traceback(error.__traceback__) from None


def unavailable(error: exc.DBAPIError) -> StorageUnavailable:
    """Return the error for a lost transaction, with the first line of what the database said of itself."""
    lines = str(error.orig).strip().splitlines()
    words = lines[0] if lines else type(error.orig).__name__
    code = _code(error.orig)
    return StorageUnavailable(f"{words} ({code})" if code else f"{words}; {_NO_SERVER}")


def refused(error: exc.DBAPIError) -> StatementFailed:
    """Return the error for a refused statement: names of the schema only, never a value of a row.

    SQLite's texts hold only names. PostgreSQL's repeat values (`invalid input syntax ...: "..."`), so of
    its errors only the names are taken.
    """
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return StatementFailed(f"{cause} ({_code(cause) or type(cause).__name__})")
    words = type(cause).__name__
    names: Any = getattr(cause, "diag", None)
    for kind in ("constraint", "column", "table"):
        if name := getattr(names, f"{kind}_name", None):
            words += f", {kind} {name}"
    code = _code(cause)
    is_held = code == _LOCK_NOT_AVAILABLE
    told = f"{words} ({code})" if code else words
    return RowHeld(told) if is_held else StatementFailed(told)


def _concerns_one_statement(error: exc.DBAPIError) -> bool:
    if error.connection_invalidated:
        return False
    sqlite_code = getattr(error.orig, "sqlite_errorcode", None)
    if sqlite_code is not None:
        return sqlite_code & 0xFF in _SQLITE_STATEMENT_CODES
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return (
            sqlstate[:2] in _SQLSTATE_STATEMENT_CLASSES
            and sqlstate != _STATEMENT_COMPLETION_UNKNOWN
        )
    # Without a code the driver itself spoke: of the connection, or of a value that it can't send.
    return not isinstance(error, exc.OperationalError | exc.InternalError | exc.InterfaceError)


def _code(cause: BaseException | None) -> str | None:
    return getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
