"""Is everything that is not over looked at again in time, and nothing more often than it must be?"""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from reconciler.db import evidence, queries, sweeps, tables
from reconciler.db.session import Database
from reconciler.poll import (
    Depth,
    RecentSweep,
    Round,
    read_due,
    sweep_events,
    sweep_open,
    sweep_recent,
)
from reconciler.poll.fetches import AT_ONCE
from reconciler.simulator import returns, till
from reconciler.simulator.api import Request
from reconciler.simulator.faults import Fault, FaultKind
from reconciler.stripe_api.problems import StripeProblem
from tests.poll.account import Account

RECENT = RecentSweep(name="recent", reach_s=2 * 86_400)
EVENTS = Depth(name="events", overlap_s=120, lag_s=10)


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account."""
    return Account(database)


def _payment(database: Database, id_: str) -> dict[str, object]:
    with database.reading() as tx:
        return queries.payment(tx, id_) or {}


def _open_invoices(account: Account, count: int, **named: str) -> None:
    """Write open invoices; each names a Stripe object of its own."""
    rows = [
        {
            "id": f"{number:04d}",
            "number": f"INV-{number}",
            "currency": "eur",
            "amount_due": 1000,
            "status": "open",
            "created_at": account.now(),
            "updated_at": account.now(),
            **{column: f"{prefix}_{number:04d}" for column, prefix in named.items()},
        }
        for number in range(count)
    ]
    with account.database.writing() as tx:
        tx.execute(tables.invoices.insert(), rows)


def _alerts(account: Account) -> list[str]:
    with account.database.reading() as tx:
        found = queries.open_exceptions(tx, now=account.now())
    return [each["subject"] for each in found if each["kind"] == "read_forbidden"]


def _covered(database: Database) -> list[bool]:
    """Whether each run has looked at all, oldest first."""
    column = tables.sweep_runs.c
    with database.reading() as tx:
        rows = tx.scalars(select(column.covered_until).where(column.sweep == "open"))
        return [until is not None for until in rows]


def _links_asked(account: Account) -> list[str]:
    asked = [dict(each.query) for each in account.client.asked]
    return [each["payment_link"] for each in asked if "payment_link" in each]


def _count(database: Database, table: str) -> int:
    with database.reading() as tx:
        return tx.scalar(select(func.count()).select_from(tables.metadata.tables[table])) or 0


def test_it_reads_a_payment_by_its_age(account: Account, database: Database) -> None:
    """A payment that stays open is read at 1, 2, 4, 8, 15 and 30 minutes, then hourly, daily, weekly and monthly, for ever."""
    intent = till.make_intent(account.world, amount=1000, currency="eur")
    account.tell(account.world.happenings[0].event)
    read_due(account.poller)
    made = account.now()
    reads: list[timedelta] = []

    def note(asked: Request) -> None:
        if asked.path.endswith(intent):
            reads.append(account.now() - made)

    account.client.meanwhile = note
    for _ in range(40):
        due = _payment(database, intent)["next_check_at"]
        account.wait((due - account.now()).total_seconds())  # type: ignore[operator]
        sweep_open(account.poller)
        read_due(account.poller)

    minutes = [round(each.total_seconds() / 60) for each in reads]
    assert minutes[:8] == [1, 2, 4, 8, 15, 30, 60, 120]
    assert minutes[30] - minutes[29] == 24 * 60
    assert len(minutes) == 40


def test_it_lets_no_more_wait_than_it_may(account: Account, database: Database) -> None:
    """Of 600 payments that are due 500 are asked for; a tick later as many as were read meanwhile, and not one more."""
    for _ in range(600):
        till.make_intent(account.world, amount=1000, currency="eur")
    account.wait(60)
    sweep_recent(account.poller, RECENT)
    with database.writing() as tx:
        tx.execute(tables.fetches.delete())
    account.wait(7200)

    sweep_open(account.poller)
    waiting = [_count(database, "fetches")]
    sweep_open(account.poller)
    waiting.append(_count(database, "fetches"))
    with database.writing() as tx:
        some = select(tables.fetches.c.object_id).order_by(tables.fetches.c.object_id).limit(30)
        tx.execute(tables.fetches.delete().where(tables.fetches.c.object_id.in_(some)))
    sweep_open(account.poller)
    waiting.append(_count(database, "fetches"))

    assert waiting == [500, 500, 500]


def test_it_reads_first_what_something_waits_for(account: Account, database: Database) -> None:
    """An object that a thin event names is read before hundreds that it is only time to look at again."""
    for _ in range(AT_ONCE):
        till.make_intent(account.world, amount=1000, currency="eur")
    account.wait(60)
    sweep_recent(account.poller, RECENT)
    account.wait(7200)
    sweep_open(account.poller)
    account.wait(60)
    urgent = till.make_intent(account.world, amount=1000, currency="eur")
    with database.writing() as tx:
        evidence.ask(tx, [("payment_intent", urgent)], "event", account.now())

    read_due(account.poller)

    with database.reading() as tx:
        waiting = set(tx.scalars(select(tables.fetches.c.object_id)))
    assert _payment(database, urgent)["status"] == "pending"
    assert len(waiting) == 1


def test_it_reads_no_dispute_again_that_is_over(account: Account, database: Database) -> None:
    """A payment whose refund is in flight is read with its open dispute, and without it once the dispute is lost."""
    intent = till.make_intent(account.world, amount=1000, currency="eur")
    till.succeed(account.world, intent)
    till.settle(account.world, intent)
    returns.refund(account.world, intent, amount=100, status="pending")
    dispute = returns.dispute(account.world, intent)
    account.wait(60)
    kinds = []
    for close in (lambda: None, lambda: returns.lose(account.world, dispute)):
        close()
        account.wait(60)
        sweep_events(account.poller, EVENTS)
        while read_due(account.poller):
            pass
        account.wait(90_000)
        sweep_open(account.poller)
        with database.reading() as tx:
            kinds.append(set(tx.scalars(select(tables.fetches.c.kind))))

    assert kinds == [{"payment_intent", "refund", "dispute"}, {"payment_intent", "refund"}]


def test_it_reads_what_an_open_invoice_names(account: Account, database: Database) -> None:
    """A PaymentIntent that an open invoice names and nobody has seen is read, however old it is."""
    intent = till.make_intent(account.world, amount=1000, currency="eur")
    till.succeed(account.world, intent)
    account.wait(100 * 86_400)
    row = {"id": "1", "number": "INV-1", "amount_due": 1000, "stripe_payment_intent_id": intent}
    times = {"currency": "eur", "status": "open"}
    with database.writing() as tx:
        at = {"created_at": account.ago(30), "updated_at": account.now()}
        tx.execute(tables.invoices.insert(), {**row, **times, **at})

    sweep_open(account.poller)
    read_due(account.poller)

    with database.reading() as tx:
        invoice = queries.invoice(tx, "1") or {}
    assert invoice["status"] == "paid"


def test_it_comes_to_the_last_of_many_links(account: Account, database: Database) -> None:
    """More Payment Links than one tick takes are listed once each, in two ticks, and only then is the time covered."""
    _open_invoices(account, 520, stripe_payment_link_id="plink")
    account.wait(90)
    begun = Round()

    sweep_open(account.poller, begun)
    account.wait(30)
    sweep_open(account.poller, begun)

    assert sorted(_links_asked(account)) == [f"plink_{number:04d}" for number in range(520)]
    assert _covered(database) == [False, True]
    with database.reading() as tx:
        assert sweeps.covered_until(tx, "open") == account.ago(30)


def test_it_comes_to_what_lies_behind_many_that_may_not_be_read(
    account: Account, database: Database
) -> None:
    """Hundreds of ids that the key may not read keep no payment and no later invoice from its look."""
    intent = till.make_intent(account.world, amount=1000, currency="eur")
    account.tell(account.world.happenings[0].event)
    read_due(account.poller)
    _open_invoices(account, 520, stripe_checkout_session_id="cs_test")
    account.client.api = account.api(frozenset({"payment_intent"}))
    account.wait(90)
    begun = Round()

    for _ in range(12):
        sweep_open(account.poller, begun)
        read_due(account.poller)
        account.wait(30)
    account.wait(3600)
    for _ in range(6):
        read_due(account.poller)
    sweep_open(account.poller, begun)
    with database.reading() as tx:
        names = set(tx.scalars(select(tables.fetches.c.object_id)))

    assert {f"cs_test_{number:04d}" for number in range(520)} < names
    assert intent in names


def test_it_skips_no_link_when_stripe_goes_away(account: Account, database: Database) -> None:
    """What a tick could not list is listed by the next one, and until then the time is not covered."""
    _open_invoices(account, 3, stripe_payment_link_id="plink")
    account.wait(90)
    begun = Round()
    account.faults.script(Fault(kind=FaultKind.ERROR_503, path="/v1/checkout/sessions", times=4))

    with pytest.raises(StripeProblem):
        sweep_open(account.poller, begun)
    account.client.asked.clear()
    account.wait(30)
    sweep_open(account.poller, begun)

    assert _links_asked(account) == ["plink_0000", "plink_0001", "plink_0002"]
    assert _covered(database) == [False, True]


def test_it_calls_one_person_for_all_links(account: Account) -> None:
    """The right to Sessions that the key lacks is one exception, however many links there are, and over once it is there."""
    _open_invoices(account, 3, stripe_payment_link_id="plink")
    account.client.api = account.api(frozenset({"payment_intent"}))
    account.wait(90)

    sweep_open(account.poller)
    without = _alerts(account)
    account.client.api = account.api(None)
    account.wait(60)
    sweep_open(account.poller)

    assert (without, _alerts(account)) == (["checkout_session"], [])


def test_it_closes_the_matter_of_a_link_that_can_be_listed(account: Account) -> None:
    """A link whose list was no list is a person's matter until it is one."""
    _open_invoices(account, 2, stripe_payment_link_id="plink")
    account.wait(90)
    account.faults.script(Fault(kind=FaultKind.EMPTY_OBJECT, path="/v1/checkout/sessions"))

    sweep_open(account.poller)
    broken = _alerts(account)
    account.wait(60)
    sweep_open(account.poller)

    assert (broken, _alerts(account)) == (["payment_link plink_0000"], [])
