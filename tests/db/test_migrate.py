"""Do the tables come to fit the program, whatever happens on the way?"""

import multiprocessing
import shutil
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from reconciler.db.migrate import (
    MIGRATIONS,
    VERSION_TABLE,
    SchemaMismatch,
    SchemaState,
    require_current,
    state,
    upgrade,
)
from reconciler.db.session import Database, StatementFailed, open_database
from reconciler.db.tables import metadata

FAMILY = """
op.create_table("parents", sa.Column("id", sa.Integer, primary_key=True))
op.create_table(
    "children",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent", sa.ForeignKey("parents.id", ondelete="CASCADE")),
)
op.execute("INSERT INTO parents (id) VALUES (1)")
op.execute("INSERT INTO children (id, parent) VALUES (1, 1)")
"""
REBUILD = """
with op.batch_alter_table("parents", recreate="auto") as parents:
    parents.add_column(sa.Column("name", sa.Text))
    parents.alter_column("id", type_=sa.BigInteger)
"""
ORPHANS = 'op.execute("DELETE FROM parents")'
BREAKS = 'op.create_table("half", sa.Column("id", sa.Integer))\nraise RuntimeError("broken")'
DIES = 'op.create_table("half", sa.Column("id", sa.Integer))\nos.kill(os.getpid(), 9)'


@pytest.fixture
def blank_url(
    dialect: str, request: pytest.FixtureRequest, tmp_path: Path
) -> str:
    """Give the URL of a database in which nothing of ours is yet."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'blank.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def blank_schema() -> str:
    """Name a schema that does not exist, and that must be quoted."""
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


Write = Callable[..., Path]


@pytest.fixture
def write_scripts(tmp_path: Path) -> Write:
    """Give a function that writes a history of migrations and returns its folder."""

    def write(*bodies: str) -> Path:
        folder = tmp_path / "migrations"
        (folder / "versions").mkdir(parents=True, exist_ok=True)
        shutil.copy(MIGRATIONS / "env.py", folder)
        for number, body in enumerate(bodies, start=1):
            text = (
                "import os\nimport sqlalchemy as sa\nfrom alembic import op\n"
                f"revision = 'r{number}'\n"
                f"down_revision = {f'r{number - 1}' if number > 1 else None!r}\n"
                f"def upgrade():\n{textwrap.indent(body, '    ')}\n"
            )
            (folder / "versions" / f"r{number}.py").write_text(text)
        return folder

    return write


def tables(database: Database) -> set[str]:
    """Return the names of the tables that are there."""
    with database.reading() as tx:
        return set(inspect(tx).get_table_names(schema=database.schema))


def count(database: Database, table: str) -> int:
    """Return the number of rows."""
    with database.migrating() as tx:
        return int(tx.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() or 0)


def test_it_makes_the_tables_that_the_program_knows(blank: Database) -> None:
    """After an upgrade from nothing, alembic finds no difference to tables.py."""
    upgrade(blank)

    require_current(blank)
    with blank.migrating() as tx:
        context = MigrationContext.configure(
            tx, opts={"version_table": VERSION_TABLE, "compare_server_default": True}
        )
        differences = compare_metadata(context, metadata)
    assert differences == []
    assert tables(blank) == set(metadata.tables) | {VERSION_TABLE}


def test_it_changes_nothing_the_second_time(blank: Database, write_scripts: Write) -> None:
    """Whoever runs `init` twice finds the rows of the first time."""
    scripts = write_scripts(FAMILY)

    upgrade(blank, scripts=scripts)
    upgrade(blank, scripts=scripts)

    assert count(blank, "children") == 1


def test_it_knows_how_old_the_tables_are(blank: Database, write_scripts: Write) -> None:
    """Missing, older, current and newer tables are told apart, and each has its mend."""
    two, three = write_scripts(FAMILY, REBUILD), "install the newer program"
    steps = [(SchemaState.MISSING, "reconciler init")]
    assert [(state(blank, scripts=two), mend(blank, two))] == steps

    upgrade(blank, to="r1", scripts=two)
    assert (state(blank, scripts=two), mend(blank, two)) == (SchemaState.OLDER, "reconciler init")

    upgrade(blank, scripts=two)
    assert (state(blank, scripts=two), mend(blank, two)) == (SchemaState.CURRENT, "")
    del three
