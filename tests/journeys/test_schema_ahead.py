"""The tables are newer than the program, as after a release was rolled back: it touches nothing that it does not know."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Column, MetaData, String, Table, select

from reconciler.db import queries
from reconciler.db.migrate import VERSION_TABLE
from reconciler.db.session import Database
from reconciler.db.tables import metadata
from reconciler.simulator import till
from tests.journeys.conftest import billed, problems
from tests.journeys.programs import Start, Stripe, set_out, wait_until

COMMANDS = ("serve", "daemon", "status", "init")
REFUSAL = "reconciler: The database is newer than this program: install the newer program."

_version = Table(VERSION_TABLE, MetaData(), Column("version_num", String))


@contextmanager
def _ahead(database: Database) -> Iterator[None]:
    """Let the tables be those of a later release."""
    with database.migrating() as tx:
        ours = tx.scalar(select(_version.c.version_num))
        tx.execute(_version.update().values(version_num="9999_of_a_later_release"))
    try:
        yield
    finally:
        with database.migrating() as tx:
            tx.execute(_version.update().values(version_num=ours))


def _everything(database: Database) -> dict[str, list[str]]:
    tables = [*metadata.sorted_tables, _version]
    with database.reading() as tx:
        return {each.name: sorted(map(repr, tx.execute(select(each)))) for each in tables}


def _is_paid(database: Database) -> bool:
    with database.reading() as tx:
        return (queries.invoice(tx, "1") or {})["payment_status"] == "paid"


def test_it_refuses_a_database_that_is_newer(
    run: Start, database: Database, stripe: Stripe
) -> None:
    """Each command ends with one line that says what to do and with 3, and changes nothing; the right program goes on."""
    till.succeed(stripe.world, billed(database, stripe, 1, 5000))
    stripe.catch_up()
    set_out(database)
    with _ahead(database):
        before = _everything(database)

        refused = {each: run(each) for each in COMMANDS}
        codes = {each: program.process.wait(timeout=30) for each, program in refused.items()}

        assert codes == dict.fromkeys(COMMANDS, 3)
        assert [program.lines for program in refused.values()] == [[REFUSAL]] * len(COMMANDS)
        assert _everything(database) == before
    daemon = run("daemon")
    wait_until(lambda: _is_paid(database), daemon)
    assert daemon.stop() == 0
    assert problems(database, stripe) == []
