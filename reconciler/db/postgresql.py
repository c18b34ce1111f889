"""What does PostgreSQL need so that a transaction means what it says?

With its default, two writers that read before they write lose updates without an error (66 of 200 were
left). So every writing transaction takes one advisory lock first: one writer at a time, as on SQLite.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

import hashlib
from functools import partial
from importlib import import_module
from typing import Any

from sqlalchemy import URL, Dialect, create_engine, event

from reconciler.db.backend import Backend, Mode
from reconciler.db.errors import StorageUnavailable

# A row lock of the app that is held longer than this makes one item wait for its next try.
ROW_LOCK_TIMEOUT_MS = 2000

_CONNECT = {
    "application_name": "stripe-payment-reconciler",
    "client_encoding": "utf8",
    "connect_timeout": 3,
    # A server that vanishes without a word is noticed within 25 s, not after hours.
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
# Every statement of a batch asks for ids. A plan that was made while a table was nearly empty reads all of it, and is kept:
# at 6,000 rows such a statement took ten times as long, until somebody analysed the table.
BY_INDEX = "SET LOCAL enable_seqscan = off"
_SESSION = (
    "-c timezone=UTC -c statement_timeout=30000 "
    # No statement of ours runs long enough to earn the tens of milliseconds that its compilation takes.
    "-c jit=off "
    f"-c lock_timeout={ROW_LOCK_TIMEOUT_MS} "
    # A program that hangs or vanishes in a transaction must not hold the write lock for ever.
    "-c idle_in_transaction_session_timeout=30000"
)


def open_postgresql(url: URL, *, schema: str, busy_timeout_s: float, pool_size: int) -> Backend:
    """Return the database that `url` names, with our tables in `schema`. Connects only when first used."""
    try:
        engine = create_engine(
            url,
            connect_args=_connect_args(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=busy_timeout_s,
            hide_parameters=True,
            execution_options={"schema_translate_map": {None: schema}},
        )
    except ModuleNotFoundError:
        raise ValueError(
            "PostgreSQL needs its driver: pip install 'stripe-payment-reconciler[postgres]'"
        ) from None
    event.listen(engine, "connect", _refuse_lossy_commits)
    event.listen(engine, "connect", _let_moments_be_unreadable)
    return Backend(
        engine=engine,
        schema=schema,
        # One writes, and the next already waits at the server: the lock changes hands without a round
        # trip, and however many threads want to write, connections stay free for those that read.
        writers=min(2, pool_size),
        opening=partial(_opening, lock_key(schema), _quoted(engine.dialect, schema)),
        in_transaction=_in_transaction,
    )


def lock_key(schema: str, account: str = "default") -> int:
    """Return the key of the write lock. The database is not in it: PostgreSQL keeps such locks apart."""
    digest = hashlib.sha256(f"stripe-payment-reconciler\0{schema}\0{account}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _connect_args(url: URL) -> dict[str, Any]:
    """Return our defaults, except where the URL says otherwise."""
    chosen = {name: value for name, value in _CONNECT.items() if name not in url.query}
    options = url.query.get("options", "")
    own = options if isinstance(options, str) else " ".join(options)
    # The driver sends no BEGIN of its own, so that ours can travel with the lock in one message.
    return chosen | {"autocommit": True, "options": f"{_SESSION} {own}".strip()}


def _refuse_lossy_commits(connection: Any, _record: object) -> None:
    """Refuse a server that answers a commit before it is on the disk: a 2xx would be a lie."""
    (value,) = connection.execute("SHOW synchronous_commit").fetchone()
    if value == "off":
        connection.close()
        raise StorageUnavailable(
            "PostgreSQL has synchronous_commit = off, which may lose acknowledged payments; "
            "switch it on for this role or database"
        )


def _let_moments_be_unreadable(connection: Any, _record: object) -> None:
    # Not imported above: whoever has no PostgreSQL has no driver for it.
    import_module("reconciler.db.lenient").register(connection)


def _opening(key: int, quoted_schema: str, mode: Mode, wait_s: float) -> tuple[str]:
    """Return one message of several statements: one round trip opens the transaction and takes the lock.

    In READ COMMITTED each statement sees what was committed before it began, so the first one after
    the lock sees all that the writer before us wrote. A reader sees one moment, as on SQLite.
    """
    if mode is Mode.READ:
        # It must leave no plan of its own behind for those that write on the same connection.
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        return (f"{begin}; SET LOCAL plan_cache_mode = force_custom_plan",)
    statements = [
        "BEGIN ISOLATION LEVEL READ COMMITTED",
        f"SET LOCAL lock_timeout = {max(1, int(wait_s * 1000))}",  # 0 would mean: for ever.
        f"SELECT pg_advisory_xact_lock({key})",
        f"SET LOCAL lock_timeout = {ROW_LOCK_TIMEOUT_MS}",
        BY_INDEX,
    ]
    if mode is Mode.MIGRATE:
        # Alembic's ALTER TABLE and plain SQL name no schema.
        statements += [
            f"SET LOCAL search_path = {quoted_schema}",
            "SET LOCAL statement_timeout = 0",
            "SET LOCAL idle_in_transaction_session_timeout = 0",
            "SET LOCAL enable_seqscan = on",
        ]
    return ("; ".join(statements),)


def _quoted(dialect: Dialect, name: str) -> str:
    # A percent sign would be taken for a placeholder by the driver.
    return dialect.identifier_preparer.quote_identifier(name)


def _in_transaction(connection: Any) -> bool:
    # After an error that somebody swallowed, COMMIT would roll back and report success.
    return bool(connection.info.transaction_status.name == "INTRANS")
