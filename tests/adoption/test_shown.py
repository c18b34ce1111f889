"""Is a day of payment shown as the day that stands in the app's table?"""

from zoneinfo import ZoneInfo

import pytest

from reconciler.cli.story import story_of
from reconciler.db import queries
from reconciler.db.fitting import Description
from reconciler.db.session import Database
from tests.adoption import odd
from tests.poll.account import START_MS

COLUMNS = "id integer PRIMARY KEY, currency text, amount_due integer, status text, paid_at date"


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Los_Angeles"])
def test_it_shows_the_day_that_is_written(database: Database, zone: str) -> None:
    """Half an hour before midnight in London, the day is another one in Paris; it is written once, and shown so everywhere."""
    described = Description(table=odd.NAME, zone=ZoneInfo(zone))
    with odd.table(database, COLUMNS, "1, 'eur', 1000, 'open', NULL"):
        account = odd.account(database, described)
        account.wait(86_400 - (START_MS // 1000) % 86_400 - 1800)
        odd.pay(account, "1", 1000)
        table = account.poller.inbox.policy.invoices
        [(written,)] = odd.rows(database, "paid_at")
        with database.reading() as tx:
            shown = queries.invoice(tx, "1", table) or {}
            story = story_of(tx, shown, table.day_zone)

    changes = [change for step in story["steps"] for change in step["changes"]]
    assert str(shown["paid_at"]) == str(written)
    assert [change for change in changes if "paid_at" in change] == [
        f"invoice: paid_at - -> {written}"
    ]
