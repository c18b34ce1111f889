"""Can a forgotten or changed setting bring money to the invoices of another table?"""

import pytest

from reconciler.db import events
from reconciler.db.session import Database
from tests.adoption import odd
from tests.cli.conftest import commands, logging_restored, program  # noqa: F401 - fixtures
from tests.cli.program import Commands

MODE = {"RECONCILER_STRIPE__MODE": "test"}
THEIRS = {**MODE, "RECONCILER_INVOICES__TABLE": odd.NAME}
COLUMNS = "id integer PRIMARY KEY, currency text, amount_due integer, status text"


@pytest.fixture
def settled(commands: Commands, database: Database) -> Commands:  # noqa: F811 - the fixture
    """Give the commands after `init` for the app's table."""
    with odd.table(database, COLUMNS, "1, 'eur', 1000, 'open'"):
        assert commands.run("init", **THEIRS).code == 0
        yield commands  # type: ignore[misc]


def test_it_refuses_a_setting_that_was_forgotten(settled: Commands) -> None:
    """Without the settings that `init` saw, no command takes our own table for the app's."""
    answer = settled.run("invoices", "list", **MODE)

    assert answer.code == 2
    assert f"this database settles {odd.NAME}, and [invoices] table is ''" in answer.err
    assert settled.run("invoices", "list", **THEIRS).code == 0


def test_it_moves_only_before_anything_is_settled(settled: Commands, database: Database) -> None:
    """`init` takes another table as long as no invoice was settled; later ids might be those of others."""
    moved = settled.run("init", **MODE)
    back = settled.run("init", **THEIRS)
    account = odd.account(database, odd.DESCRIBED)
    odd.pay(account, "1", 1000)
    late = settled.run("init", **MODE)

    with database.reading() as tx:
        kept = events.setting(tx, "invoices")
    assert (moved.code, back.code, late.code) == (0, 0, 2)
    assert "whose ids may be those of others" in late.err
    assert kept == odd.NAME
