"""Does the first start on an old, busy account flood nobody, and are the books right from the first day on?"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from reconciler.cli.context import inbox_of
from reconciler.config import load
from reconciler.daemon.jobs import Timing, jobs_of
from reconciler.db import queries, tables
from reconciler.db.session import Database
from reconciler.poll import Poller
from reconciler.simulator import returns, till
from reconciler.simulator.clock import Clock
from reconciler.simulator.world import World
from reconciler.verify import verify
from tests.cli.program import MODE, Commands
from tests.poll.account import START_MS, Account

DAY_MS = 86_400_000
OLD = 5000
DAYS = 250
FIRST = ("events", "events_night", "money", "money_night", "recent", "open", "invoices")
LATER = ("events", "money", "open", "invoices")
FIRST_DAY = datetime.fromtimestamp(START_MS / 1000, UTC).date()


def _years_of_trade() -> tuple[World, list[str]]:
    """Other shops, subscriptions and debits, with refunds and disputes among them; all of it before the first day."""
    world = World(seed=5, clock=Clock(START_MS - (DAYS + 1) * DAY_MS))
    made: list[str] = []
    for number in range(OLD):
        named = {"order_id": f"shop-{number}"} if number % 3 else {}
        intent = till.make_intent(
            world, amount=1000 + number, currency="eur", metadata=named, receipt_email="old@x.org"
        )
        if number % 5 == 0:
            till.start_debit(world, intent)
            till.finish_debit(world, intent)
        else:
            till.succeed(world, intent)
            till.settle(world, intent)
        if number % 40 == 1:
            returns.refund(world, intent, 300)
        if number % 200 == 1:
            returns.lose(world, returns.dispute(world, intent))
        made.append(intent)
        world.clock.advance(DAYS * DAY_MS // OLD)
    world.clock.advance(START_MS - world.clock.now_ms())
    return world, made


def _old_invoices(intents: Sequence[str]) -> list[dict[str, object]]:
    """The app has settled its own invoices until today, and wrote on each which payment it was."""
    return [
        {
            "id": f"old-{n}",
            "amount_due": 1000,
            "status": "paid" if n % 3 else "void",
            "stripe_payment_intent_id": intent,
        }
        for n, intent in enumerate(intents)
    ]


def _add_invoices(database: Database, at: datetime, rows: Sequence[dict[str, object]]) -> None:
    """Let the app write invoices."""
    common = {"currency": "eur", "user_id": "user_1", "created_at": at, "updated_at": at}
    with database.writing() as tx:
        tx.execute(tables.invoices.insert(), [{**common, **row} for row in rows])


def _pay(world: World, amount: int, named: dict[str, str]) -> str:
    intent = till.make_intent(world, amount=amount, currency="eur", metadata=named)
    till.succeed(world, intent)
    till.settle(world, intent)
    return intent


def _sweep(poller: Poller, account: Account, names: Collection[str]) -> None:
    """Let jobs of a daemon run, and whatever they ask for be read."""
    jobs = {job.name: job.work for job in jobs_of(poller, Timing(), poller)}
    for name in names:
        jobs[name]()
    for _ in range(60):
        account.wait(30)
        if not jobs["fetches"]():
            return


def _counts(database: Database) -> tuple[int, int]:
    with database.reading() as tx:
        exceptions, notifications = (
            tx.scalar(select(func.count()).select_from(each)) or 0
            for each in (tables.exceptions, tables.notifications)
        )
    return exceptions, notifications


def test_it_floods_nobody_and_is_right_from_the_first_day_on(
    commands: Commands, database: Database
) -> None:
    """Five thousand old payments open nothing and tell nobody, not even when one is refunded today; new ones count, but those of a shop to be ignored."""
    world, old = _years_of_trade()
    account = Account(database, world=world)
    Path("config.toml").write_text(f'{MODE}[matching]\nignore = ["metadata.shop=two"]\n')
    _add_invoices(database, account.ago(30 * 86_400), _old_invoices([*old[:300], *old[-60:]]))

    assert commands.run("init", "--since", FIRST_DAY.isoformat()).code == 0
    poller = account.poller_with(inbox_of(load(Path("config.toml")), database))
    _sweep(poller, account, FIRST)
    first = _counts(database)

    for intent in (old[1200], old[1205], old[1207]):
        returns.refund(world, intent, 100)
    _add_invoices(database, account.now(), [{"id": "new-1", "amount_due": 1900, "status": "open"}])
    _pay(world, 1900, {"invoice_id": "new-1"})
    strange = _pay(world, 777, {})
    _pay(world, 888, {"shop": "two"})
    account.wait(3600)
    _sweep(poller, account, LATER)

    with database.reading() as tx:
        new = queries.invoice(tx, "new-1") or {}
        refunded = queries.payment(tx, old[1205]) or {}
        opened = queries.open_exceptions(tx, now=account.now())
        told = queries.notifications_of(tx, "new-1")
    assert first == (0, 0)
    assert refunded["amount_refunded"] == 100
    assert (new["status"], new["payment_status"]) == ("paid", "paid")
    assert [(row["kind"], row["subject"]) for row in opened] == [("unmatched_payment", strange)]
    assert [row["kind"] for row in told] == ["invoice_paid"]
    assert _counts(database) == (1, 1)
    assert verify(database, poller.inbox.policy, now=account.now(), rebuild=True).problems == ()
