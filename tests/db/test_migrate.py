"""Do the tables come to fit the program, whatever happens on the way?"""

import multiprocessing
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import column, func, insert, inspect, select
from sqlalchemy import table as table_named

from reconciler.db.migrate import (
    MIGRATIONS,
    VERSION_TABLE,
    SchemaMismatch,
    SchemaState,
    require_current,
    state,
    upgrade,
)
from reconciler.db.push_tables import metadata
from reconciler.db.session import Database, StatementFailed, open_database

FAMILY = """
op.create_table("parents", sa.Column("id", sa.Integer, primary_key=True))
op.create_table(
    "children",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent", sa.Integer, sa.ForeignKey("parents.id", ondelete="CASCADE")),
)
op.execute("INSERT INTO parents (id) VALUES (1)")
op.execute("INSERT INTO children (id, parent) VALUES (1, 1)")
"""
REBUILD = """
with op.batch_alter_table("parents") as parents:
    parents.add_column(sa.Column("name", sa.Text))
    parents.alter_column("id", type_=sa.BigInteger)
"""
ORPHANS = 'op.execute("DELETE FROM parents")'
RAISES = 'op.create_table("half", sa.Column("id", sa.Integer))\nraise RuntimeError("broken")'
DIES = 'op.create_table("half", sa.Column("id", sa.Integer))\nos.kill(os.getpid(), 9)'

Write = Callable[..., Path]

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@pytest.fixture
def blank_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database in which nothing of ours is yet."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'blank.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def blank_schema() -> str:
    """Name a schema that does not exist yet, and that is not a plain word."""
    return f"Blank {uuid4().hex[:12]}"


@pytest.fixture
def blank(blank_url: str, blank_schema: str) -> Iterator[Database]:
    """Give a database in which nothing of ours is yet."""
    database = open_database(blank_url, schema=blank_schema, create=True)
    yield database
    if database.schema:
        with database.migrating() as tx:
            tx.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{database.schema}" CASCADE')
    database.close()


@pytest.fixture
def write_scripts(tmp_path: Path) -> Write:
    """Give a function that writes migrations r1, r2, ... and returns their folder."""

    def write(*bodies: str) -> Path:
        folder = tmp_path / "100% migrations"
        (folder / "versions").mkdir(parents=True, exist_ok=True)
        shutil.copy(MIGRATIONS / "env.py", folder)
        for number, body in enumerate(bodies, start=1):
            before = f"r{number - 1}" if number > 1 else None
            (folder / "versions" / f"r{number}.py").write_text(
                "import os\nimport sqlalchemy as sa\nfrom alembic import op\n"
                f"revision = 'r{number}'\ndown_revision = {before!r}\n"
                f"def upgrade():\n{textwrap.indent(body, '    ')}\n"
            )
        return folder

    return write


def tables(database: Database) -> set[str]:
    """Return the names of the tables that are there."""
    with database.reading() as tx:
        return set(inspect(tx).get_table_names(schema=database.schema))


def count(database: Database, table: str) -> int:
    """Return the number of rows."""
    with database.migrating() as tx:
        return int(tx.scalar(select(func.count()).select_from(table_named(table))) or 0)


def test_it_makes_the_tables_that_the_program_knows(blank: Database) -> None:
    """After an upgrade from nothing, alembic finds no difference to tables.py."""
    upgrade(blank)

    require_current(blank)
    with blank.migrating() as tx:
        context = MigrationContext.configure(
            tx,
            opts={
                "version_table": VERSION_TABLE,
                # On SQLite alembic takes an empty text for no default at all.
                "compare_server_default": blank.dialect_name == "postgresql",
            },
        )
        differences = compare_metadata(context, metadata)
    assert differences == []
    assert tables(blank) == {*metadata.tables, VERSION_TABLE}


def test_it_changes_nothing_the_second_time(blank: Database, write_scripts: Write) -> None:
    """Whoever runs `init` twice finds the rows of the first time."""
    scripts = write_scripts(FAMILY)

    upgrade(blank, scripts=scripts)
    upgrade(blank, scripts=scripts)

    assert count(blank, "children") == 1


@pytest.mark.parametrize(
    ("reached", "found", "mend"),
    [
        (None, SchemaState.MISSING, "reconciler init"),
        ("r1", SchemaState.OLDER, "reconciler init"),
        ("r3", SchemaState.NEWER, "install the newer program"),
    ],
)
def test_it_refuses_tables_that_do_not_fit(
    blank: Database, write_scripts: Write, reached: str | None, found: SchemaState, mend: str
) -> None:
    """Tables of another program are refused with the one thing that mends it."""
    if reached:
        upgrade(blank, to=reached, scripts=write_scripts(FAMILY, REBUILD, "pass"))
    known = write_scripts(FAMILY, REBUILD)
    (known / "versions" / "r3.py").unlink(missing_ok=True)

    assert state(blank, scripts=known) is found
    with pytest.raises(SchemaMismatch, match=mend):
        require_current(blank, scripts=known)


def test_it_leaves_a_newer_database_alone(blank: Database, write_scripts: Write) -> None:
    """An old program that runs `init` on a newer database changes nothing."""
    scripts = write_scripts(FAMILY, REBUILD)
    upgrade(blank, scripts=scripts)
    (scripts / "versions" / "r2.py").unlink()

    with pytest.raises(SchemaMismatch, match="newer"):
        upgrade(blank, scripts=scripts)

    assert state(blank, scripts=scripts) is SchemaState.NEWER


def test_it_lets_several_upgrade_at_once(
    blank: Database, blank_url: str, blank_schema: str, write_scripts: Write
) -> None:
    """Of programs that all find nothing and start `init` together, one makes the tables."""
    scripts = write_scripts(FAMILY, REBUILD)
    spawn = multiprocessing.get_context("spawn")
    work = (blank_url, blank_schema, scripts)
    programs = [spawn.Process(target=upgrade_in_a_program, args=work) for _ in range(3)]

    for program in programs:
        program.start()
    for program in programs:
        program.join(timeout=60)

    assert [program.exitcode for program in programs] == [0, 0, 0]
    assert state(blank, scripts=scripts) is SchemaState.CURRENT
    assert count(blank, "children") == 1


def upgrade_in_a_program(url: str, schema: str, scripts: Path) -> None:
    """Be the whole of a program: open, upgrade, close."""
    database = open_database(url, schema=schema, create=True)
    upgrade(database, scripts=scripts)
    database.close()


@pytest.mark.parametrize("accident", [RAISES, DIES], ids=["raises", "dies"])
def test_it_leaves_the_old_tables_after_an_accident(
    blank: Database, blank_url: str, blank_schema: str, write_scripts: Write, accident: str
) -> None:
    """A migration that breaks or is killed half-way leaves the whole upgrade undone, and not half."""
    upgrade(blank, scripts=write_scripts(FAMILY))
    scripts = write_scripts(FAMILY, REBUILD, accident)
    program = multiprocessing.get_context("spawn").Process(
        target=upgrade_in_a_program, args=(blank_url, blank_schema, scripts)
    )

    program.start()
    program.join(timeout=60)

    assert program.exitcode != 0
    assert state(blank, scripts=scripts) is SchemaState.OLDER
    assert tables(blank) == {"parents", "children", VERSION_TABLE}
    with blank.reading() as tx:
        columns = inspect(tx).get_columns("parents", schema=blank.schema)
    assert [column["name"] for column in columns] == ["id"]


def test_it_keeps_the_children_of_a_table_that_it_rebuilds(
    blank: Database, write_scripts: Write
) -> None:
    """SQLite changes a column by making the table anew; what hangs on its rows must not fall."""
    upgrade(blank, scripts=write_scripts(FAMILY, REBUILD))

    assert count(blank, "parents") == 1
    assert count(blank, "children") == 1
    with pytest.raises(StatementFailed), blank.writing() as tx:
        tx.execute(insert(table_named("children", column("id"), column("parent"))).values((2, 77)))


@on_sqlite
def test_it_refuses_a_migration_that_leaves_orphans(blank: Database, write_scripts: Write) -> None:
    """With foreign keys off during a migration, they are checked before the commit."""
    with pytest.raises(StatementFailed, match="children"):
        upgrade(blank, scripts=write_scripts(FAMILY, ORPHANS))

    assert tables(blank) == set()
