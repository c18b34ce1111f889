"""Do the tables in the database fit this program, and how do they come to?

Both databases roll back changes of tables like any other change. So an upgrade is one transaction, under
the same write lock as everything else: a crash leaves the old schema or the new one, and of two programs
that upgrade at once the second finds nothing left to change.
"""

from collections.abc import Collection
from enum import Enum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Column, MetaData, String, Table, inspect, select
from sqlalchemy.schema import CreateSchema

from reconciler.db.push_tables import metadata
from reconciler.db.session import Database, StatementFailed, Tx

VERSION_TABLE = "schema_version"
MIGRATIONS = Path(__file__).with_name("migrations")

_version = Table(VERSION_TABLE, MetaData(), Column("version_num", String))


class SchemaState(Enum):
    """How the tables in the database stand to those that this program knows."""

    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"
    """The database names a migration that this program has never heard of."""


class SchemaMismatch(Exception):  # noqa: N818 - it names a state of the world, not a mistake
    """The tables do not fit this program. The message is one sentence and says what mends it."""


_MENDING = {
    SchemaState.MISSING: "The database has no tables of the reconciler yet: run `reconciler init`.",
    SchemaState.OLDER: "The database is older than this program: run `reconciler init`.",
    SchemaState.NEWER: "The database is newer than this program: install the newer program.",
}


def upgrade(
    db: Database, *, to: str = "head", scripts: Path = MIGRATIONS, theirs: Collection[str] = ()
) -> None:
    """Bring the tables to revision `to`; make them, and PostgreSQL's schema, if they are missing.

    `theirs` are tables of the app that may be there beside ours. Raises SchemaMismatch for a database that is newer than this
    program, or in which others have taken our names.
    """
    with db.migrating() as tx:
        _create_schema(tx, db.schema)
        found = _state(tx, db.schema, scripts)
        if found is SchemaState.NEWER:
            raise SchemaMismatch(_MENDING[SchemaState.NEWER])
        if found is SchemaState.MISSING:
            _require_names(tx, db.schema, theirs)
        command.upgrade(_config(scripts, tx), to)
        _require_parents(tx)


def state(db: Database, *, scripts: Path = MIGRATIONS) -> SchemaState:
    """Compare the revision in the database with the migrations of this program."""
    with db.reading() as tx:
        return _state(tx, db.schema, scripts)


def require_current(db: Database, *, scripts: Path = MIGRATIONS) -> None:
    """Raise SchemaMismatch unless the tables are exactly those of this program."""
    found = state(db, scripts=scripts)
    if found is not SchemaState.CURRENT:
        raise SchemaMismatch(_MENDING[found])


def _state(tx: Tx, schema: str | None, scripts: Path) -> SchemaState:
    revision = _revision(tx, schema)
    if revision is None:
        return SchemaState.MISSING
    known = ScriptDirectory.from_config(_config(scripts))
    if revision == known.get_current_head():
        return SchemaState.CURRENT
    older = {script.revision for script in known.walk_revisions()}
    return SchemaState.OLDER if revision in older else SchemaState.NEWER


def _revision(tx: Tx, schema: str | None) -> str | None:
    if not inspect(tx).has_table(VERSION_TABLE, schema=schema):
        return None
    return tx.scalar(select(_version.c.version_num))


def _require_names(tx: Tx, schema: str | None, theirs: Collection[str]) -> None:
    taken = {*metadata.tables} & {*inspect(tx).get_table_names(schema)} - {*theirs}
    if taken:
        mend = "give us another file" if schema is None else "name another one in [database] schema"
        raise SchemaMismatch(
            f"Tables of ours are called like some that are there ({', '.join(sorted(taken))}): {mend}."
        )


def _create_schema(tx: Tx, schema: str | None) -> None:
    # IF NOT EXISTS would ask for the right to create one even where an administrator has done it.
    if schema is not None and not inspect(tx).has_schema(schema):
        tx.execute(CreateSchema(schema))


def _config(scripts: Path, tx: Tx | None = None) -> Config:
    config = Config(attributes={"connection": tx, "version_table": VERSION_TABLE})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    return config


def _require_parents(tx: Tx) -> None:
    """Make up for SQLite's foreign keys, which are off during a migration."""
    if tx.dialect.name == "sqlite":
        orphaned = {row[0] for row in tx.exec_driver_sql("PRAGMA foreign_key_check")}
        if orphaned:
            raise StatementFailed(f"rows without their parent in {', '.join(sorted(orphaned))}")
