"""Is an app's own table settled like ours, without one column more written than may be?"""

import pytest
from sqlalchemy import text

from reconciler.apply import Policy
from reconciler.core.ledger import Rules
from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.poll import RecentSweep, read_due, sweep_invoices, sweep_open, sweep_recent
from reconciler.simulator import till
from reconciler.verify import verify
from tests.adoption.apps import App
from tests.adoption.describing import adopted, described
from tests.poll.account import SINCE_MS, Account

RECENT = RecentSweep(name="recent", reach_s=2 * 86_400)


@pytest.fixture
def account(app: App, database: Database) -> Account:
    """Give an account whose inbox settles the app's table."""
    made = Account(database)
    rules = Rules(since_ms=SINCE_MS, payable=frozenset(described(app, database).payable))
    policy = Policy(rules=rules, invoices=adopted(app, database))
    made.poller = made.poller_with(Inbox(db=database, policy=policy))
    return made


def _pay(account: Account, app: App) -> str:
    named = {"invoice_id": app.key}
    intent = till.make_intent(
        account.world, amount=app.due_minor, currency=app.currency, metadata=named
    )
    till.succeed(account.world, intent)
    till.settle(account.world, intent)
    account.wait(60)
    return intent


def _settled(account: Account) -> list[str]:
    policy = account.poller.inbox.policy
    report = verify(account.database, policy, now=account.now(), rebuild=True)
    return [f"{each.subject}: {each.what}" for each in report.problems]


def test_it_is_paid_by_webhook(account: Account, app: App, database: Database) -> None:
    """An event pays the app's invoice in the app's own words; the sweep of invoices finds nothing more to do, for ever."""
    before = app.state(database)
    _pay(account, app)

    account.tell(*(each.event for each in account.world.happenings))
    paid = app.state(database)
    for _ in range(2):
        sweep_invoices(account.poller)
        sweep_open(account.poller)

    assert before[2] is None
    assert paid == app.state(database) == app.paid
    assert _settled(account) == []


def test_it_is_paid_by_a_sweep(account: Account, app: App, database: Database) -> None:
    """What only a list tells pays the app's invoice too."""
    _pay(account, app)

    sweep_recent(account.poller, RECENT)
    while read_due(account.poller):
        pass

    assert app.state(database) == app.paid
    assert _settled(account) == []


def test_it_writes_no_other_column(account: Account, app: App, database: Database) -> None:
    """Of all columns and rows of the app's table only the three of the paid invoice are other ones afterwards."""
    table = described(app, database).table
    schema, _, name = table.rpartition(".")
    whole = text(f'SELECT * FROM {schema + "." if schema else ""}"{name}" ORDER BY 1, 2')

    def rows() -> list[dict[str, object]]:
        with database.reading() as tx:
            return [dict(row) for row in tx.execute(whole).mappings()]

    before = rows()
    _pay(account, app)
    sweep_recent(account.poller, RECENT)
    after = rows()

    changed = [
        {name for name in old if old[name] != new[name]}
        for old, new in zip(before, after, strict=True)
    ]
    found = adopted(app, database)
    ours = {found.columns[each].name for each in found.written}  # type: ignore[attr-defined]
    assert [names for names in changed if names] == [ours]


def test_it_settles_what_the_app_wrote_back(account: Account, app: App, database: Database) -> None:
    """The app's word for an open invoice, written back over our `paid`, becomes `paid` again within a tick."""
    open_word = app.state(database)[0]
    _pay(account, app)
    sweep_recent(account.poller, RECENT)
    found = adopted(app, database)
    with database.writing() as tx:
        status = found.columns["status"].name  # type: ignore[attr-defined]
        tx.execute(found.table.update().where(found.rows()).values({status: open_word}))

    sweep_invoices(account.poller)

    assert app.state(database) == app.paid


def test_it_is_told_in_our_words(app: App, database: Database) -> None:
    """Commands show an app's invoice under our names, in minor units, found by its number or its id."""
    found = adopted(app, database)

    with database.reading() as tx:
        invoice = queries.invoice(tx, app.key, found) or {}
        listed = [row["id"] for row in queries.invoices(tx, found, status="open")]

    assert (invoice["status"], invoice["amount_due"], invoice["currency"]) == (
        "open",
        app.due_minor,
        app.currency,
    )
    assert invoice["id"] in listed
