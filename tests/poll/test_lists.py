"""Does what a list shows go through the same door as everything else, once, whatever one object of it is?"""

from contextlib import nullcontext
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from reconciler.db import queries, sweeps, tables
from reconciler.db.leases import LeaseLost
from reconciler.db.session import Database, Tx
from reconciler.poll import (
    Depth,
    Poller,
    RecentSweep,
    read_due,
    sweep_events,
    sweep_money,
    sweep_recent,
)
from reconciler.simulator import checkout, returns, till
from reconciler.simulator.faults import Fault, FaultKind
from reconciler.stripe_api.problems import StripeProblem
from tests.journeys.conftest import add_invoices
from tests.poll.account import Account

MONEY = Depth(name="money", overlap_s=2 * 86_400, lag_s=10)
RECENT = RecentSweep(name="recent", reach_s=2 * 86_400)


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account."""
    return Account(database)


def _paid(account: Account, number: str = "INV-1") -> str:
    named = {"invoice_id": number}
    intent = till.make_intent(account.world, amount=1000, currency="eur", metadata=named)
    till.succeed(account.world, intent)
    till.settle(account.world, intent)
    account.wait(60)
    return intent


def _payment(database: Database, id_: str) -> dict[str, object]:
    with database.reading() as tx:
        return queries.payment(tx, id_) or {}


def _position(database: Database, cursor: str) -> object:
    with database.reading() as tx:
        return sweeps.position(tx, cursor)


def _count(database: Database, table: str) -> int:
    with database.reading() as tx:
        return tx.scalar(select(func.count()).select_from(tables.metadata.tables[table])) or 0


def test_it_finds_by_its_money_a_payment_that_nobody_told_of(
    account: Account, database: Database
) -> None:
    """The money sweep brings a charge with fee and net; its PaymentIntent is asked for, and pays the invoice."""
    add_invoices(database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    intent = _paid(account)

    sweep_money(account.poller, MONEY)
    read_due(account.poller)

    payment = _payment(database, intent)
    with database.reading() as tx:
        invoice = queries.invoice(tx, "1") or {}
    assert (invoice["status"], payment["status"]) == ("paid", "succeeded")
    assert payment["settled_gross"] == 1000
    assert payment["settled_net"] == 1000 - int(str(payment["settled_fee"]))
    assert payment["settled_fee"]


def test_it_finds_what_moved_no_money(account: Account, database: Database) -> None:
    """The recent objects bring a PaymentIntent that nobody has paid, and a Session that asked for nothing."""
    add_invoices(database, {"id": "0", "number": "INV-0", "amount_due": 0})
    intent = till.make_intent(account.world, amount=1000, currency="eur")
    session = checkout.open_session(
        account.world, amount=0, currency="eur", client_reference_id="INV-0"
    )
    checkout.complete(account.world, session, "no_payment_required")
    account.wait(60)

    sweep_recent(account.poller, RECENT)

    with database.reading() as tx:
        invoice = queries.invoice(tx, "0") or {}
    assert _payment(database, intent)["status"] == "pending"
    assert invoice["payment_status"] == "paid"


def test_it_leaves_out_what_it_saw_before(account: Account, database: Database) -> None:
    """A final object with the same bytes is not applied again; other bytes are."""
    intent = _paid(account)
    sweep_recent(account.poller, RECENT)
    seen = _count(database, "sightings"), _count(database, "observations")

    sweep_recent(account.poller, RECENT)
    again = _count(database, "sightings"), _count(database, "observations")
    till.edit(account.world, intent, metadata={"invoice_id": "INV-2"})
    sweep_recent(account.poller, RECENT)

    with database.reading() as tx:
        runs = [row["found"] for row in queries.last_runs(tx) if row["sweep"] == "recent"]
        column = tables.payment_references.c
        names = set(tx.scalars(select(column.value).where(column.payment_id == intent)))
    assert seen == again == (1, 1)
    assert runs[-1] == 1
    assert {"INV-1", "INV-2"} <= names


def test_it_remembers_what_is_over(account: Account, database: Database) -> None:
    """A Session that expired and a dispute that was lost are remembered; those that are open are looked at again."""
    intent = _paid(account)
    disputes = [returns.dispute(account.world, each) for each in (intent, _paid(account))]
    opened = {"amount": 1000, "currency": "eur"}
    sessions = [checkout.open_session(account.world, **opened) for _ in range(2)]
    returns.lose(account.world, disputes[0])
    checkout.expire(account.world, sessions[0])
    account.wait(60)

    sweep_recent(account.poller, RECENT)

    with database.reading() as tx:
        remembered = set(tx.scalars(select(tables.sightings.c.object_id)))
    assert remembered & {*disputes, *sessions} == {disputes[0], sessions[0]}


def test_it_asks_little_for_what_lies_behind_the_cursor(account: Account) -> None:
    """Two days behind the cursor are read by the day, and only what is ahead of it by the hour."""
    account.wait(3 * 86_400)
    sweep_money(account.poller, MONEY)
    account.wait(3600)
    account.client.asked.clear()

    sweep_money(account.poller, MONEY)

    asked = [dict(each.query) for each in account.client.asked]
    assert len([each for each in asked if "created[gte]" in each]) == 3


def test_it_lets_one_bad_object_disturb_no_other(account: Account, database: Database) -> None:
    """An object that nobody can read is a person's matter; the page and the cursor go on."""
    bad = till.make_intent(account.world, amount=1000, currency="eur")
    account.world.save({**account.world.get(bad), "amount": "a lot", "id": bad})
    good = _paid(account)

    with capture_logs():
        sweep_recent(account.poller, RECENT)

    assert _payment(database, good)["status"] == "succeeded"
    assert _position(database, "recent_payment_intents") is not None


@pytest.mark.parametrize(
    ("path", "cursor"),
    [("/v1/balance_transactions", "money"), ("/v1/payment_intents", "recent_payment_intents")],
)
def test_it_keeps_the_cursor_when_a_list_breaks(
    account: Account, database: Database, path: str, cursor: str
) -> None:
    """A list that does not come to its end leaves the cursor where it was, and the next sweep loses nothing."""
    sweep = {"money": lambda: sweep_money(account.poller, MONEY)}.get(
        cursor, lambda: sweep_recent(account.poller, RECENT)
    )
    sweep()
    before = _position(database, cursor)
    intent = _paid(account)
    account.wait(3600)
    account.faults.script(Fault(kind=FaultKind.HTML, path=path))

    with capture_logs(), pytest.raises(StripeProblem):
        sweep()
    broken = _position(database, cursor)
    sweep()
    read_due(account.poller)

    assert broken == before
    assert _position(database, cursor) != before
    assert _payment(database, intent)["status"] == "succeeded"


@pytest.mark.parametrize("name", ["money", "recent"])
def test_it_moves_no_cursor_for_another_leader(
    account: Account, database: Database, name: str
) -> None:
    """A fence that is closed ends the sweep before its cursor moves."""
    account.wait(3600)

    def closed(_: Tx) -> None:
        raise LeaseLost

    poller = Poller(
        db=database,
        gateway=account.poller.gateway,
        inbox=account.poller.inbox,
        now=account.now,
        fence=closed,
    )

    with pytest.raises(LeaseLost):
        sweep_money(poller, MONEY) if name == "money" else sweep_recent(poller, RECENT)

    assert _position(database, "money") is None
    assert _position(database, "recent_payment_intents") is None


def test_it_says_which_events_are_gone(account: Account, database: Database) -> None:
    """After more than thirty days the events sweep says what it can list no more, in the log and in its row."""
    sweep = Depth(name="events", overlap_s=120, lag_s=10)
    sweep_events(account.poller, sweep)
    account.wait(45 * 86_400)

    with capture_logs() as lines:
        sweep_events(account.poller, sweep)

    with database.reading() as tx:
        note = [row["error"] for row in queries.last_runs(tx) if row["sweep"] == "events"][-1]
    gone = [line for line in lines if line["event"] == "events.aged_out"]
    assert [line["log_level"] for line in gone] == ["warning"]
    assert note == (
        f"Stripe lists no events of {gone[0]['since']} to {gone[0]['until']} any more:"
        " object lists cover them"
    )


@pytest.mark.parametrize(("is_back", "days"), [(True, 2), (False, 10)])
def test_it_covers_what_every_list_was_read_for(
    account: Account, database: Database, is_back: bool, days: int
) -> None:
    """A list that is new to a daemon that was off counts from where it begins; one that can't be read counts for nothing."""
    without = account.api(frozenset({"payment_intent", "checkout_session"}))
    account.client.api = without
    with pytest.raises(StripeProblem):
        sweep_recent(account.poller, RECENT)
    account.wait(10 * 86_400)
    account.client.api = account.api(None) if is_back else without

    with nullcontext() if is_back else pytest.raises(StripeProblem):
        sweep_recent(account.poller, RECENT)

    with database.reading() as tx:
        run = [row for row in queries.last_runs(tx) if row["sweep"] == "recent"][-1]
    assert run["covered_until"] - run["covered_from"] == timedelta(days=days)
