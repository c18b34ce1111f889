"""Does what a person decided about a payment stay so, however often everything is swept again?"""

import pytest

from reconciler.assigning import By, assign, unassign
from reconciler.daemon.jobs import Timing, jobs_of
from reconciler.db import queries
from reconciler.db.digest import digest
from reconciler.db.session import Database
from reconciler.simulator import returns, till
from reconciler.verify import verify
from tests.journeys.conftest import add_invoices
from tests.poll.account import Account

ANN = By("ann", "phoned")


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account with a payment that names the first of two invoices, and that pays it."""
    made = Account(database)
    for id_ in ("1", "2"):
        add_invoices(database, {"id": id_, "number": f"INV-{id_}", "amount_due": 1000})
    named = {"invoice_id": "INV-1"}
    intent = till.make_intent(made.world, amount=1000, currency="eur", metadata=named)
    till.succeed(made.world, intent)
    till.settle(made.world, intent)
    made.wait(60)
    _sweep(made)
    return made


def _sweep(account: Account) -> None:
    """Let every job of a daemon run, two days later, when everything is due again."""
    account.wait(2 * 86_400)
    for job in jobs_of(account.poller, Timing(), account.poller):
        job.work()


def _words(database: Database) -> list[tuple[str, str | None]]:
    with database.reading() as tx:
        rows = [queries.invoice(tx, each) or {} for each in ("1", "2")]
    return [(row["status"], row["payment_status"]) for row in rows]


def _digest(database: Database) -> str:
    with database.reading() as tx:
        return digest(tx)


def test_it_outlasts_every_sweep(account: Account, database: Database) -> None:
    """Taken back, and later given to another invoice: no list, read or look at the invoices moves it, and refunds follow it."""
    [intent] = [each["id"] for each in account.world.every("payment_intent")]
    policy = account.poller.inbox.policy
    unassign(database, policy, intent, by=ANN, now=account.now())
    before = _digest(database)
    _sweep(account)
    taken_back, after = _words(database), _digest(database)

    assign(database, policy, intent, "INV-2", amount=None, by=ANN, now=account.now())
    returns.refund(account.world, intent, 300)
    _sweep(account)

    assert after == before
    assert taken_back == [("open", "unpaid"), ("open", None)]
    assert _words(database) == [("open", "unpaid"), ("paid", "partially_refunded")]
    assert verify(database, policy, now=account.now(), rebuild=True).problems == ()
