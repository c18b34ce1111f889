"""Is every change that the app makes to its invoices settled within a tick, and nothing looked at twice for nothing?"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from reconciler.db import queries, tables
from reconciler.db.session import Database
from reconciler.poll import RecentSweep, read_due, sweep_invoices, sweep_recent
from reconciler.poll.invoices import LOOK_AGAIN
from reconciler.simulator import checkout, till
from reconciler.verify import verify
from tests.journeys.conftest import add_invoices, write_invoices
from tests.poll.account import Account

RECENT = RecentSweep(name="recent", reach_s=2 * 86_400)

Row = dict[str, object]


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account."""
    return Account(database)


def _pay(account: Account, amount: int = 1000, *, named: str = "INV-1") -> str:
    """Somebody pays; the sweeps tell us, whether or not there is an invoice for it."""
    metadata = {"invoice_id": named} if named else {}
    intent = till.make_intent(account.world, amount=amount, currency="eur", metadata=metadata)
    till.succeed(account.world, intent)
    till.settle(account.world, intent)
    account.wait(60)
    _sweep(account)
    return intent


def _sweep(account: Account) -> None:
    sweep_recent(account.poller, RECENT)
    while read_due(account.poller):
        pass


def _edit(account: Account, **values: object) -> None:
    with account.database.writing() as tx:
        tx.execute(update(tables.invoices).where(tables.invoices.c.id == "1").values(**values))


def _invoice(account: Account) -> Row:
    with account.database.reading() as tx:
        return queries.invoice(tx, "1") or {}


def _open_kinds(account: Account) -> set[str]:
    with account.database.reading() as tx:
        rows = queries.open_exceptions(tx, now=account.now() + timedelta(days=1), limit=100)
    return {str(each["kind"]) for each in rows}


def _looked_at(account: Account) -> int:
    """How many invoices a tick looks at."""
    sweep_invoices(account.poller)
    with account.database.reading() as tx:
        last = [row for row in queries.last_runs(tx) if row["sweep"] == "invoices"][-1]
    return int(last["objects"])


@pytest.mark.parametrize(
    ("edit", "word", "says", "kinds"),
    [
        pytest.param({"status": "open"}, "paid", "paid", set(), id="opened-again"),
        pytest.param({"paid_at": None}, "paid", "paid", set(), id="moment-cleared"),
        pytest.param({"payment_status": None}, "paid", "paid", set(), id="word-of-ours-cleared"),
        pytest.param(
            {"amount_due": 1500},
            "paid",
            "partially_paid",
            {"underpaid", "invoice_changed_after_paid"},
            id="dearer",
        ),
        pytest.param(
            {"status": "void"},
            "void",
            "paid",
            {"invoice_not_payable"},
            id="voided-after-it-was-paid",
        ),
    ],
)
def test_it_settles_what_the_app_changed(
    account: Account, edit: Row, word: str, says: str, kinds: set[str]
) -> None:
    """Whatever the app writes into a paid invoice is settled in one tick, with its exceptions; the next finds nothing."""
    add_invoices(account.database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    _pay(account)
    paid_at = _invoice(account)["paid_at"]
    _edit(account, **edit)

    looked_at = [_looked_at(account), _looked_at(account)]

    invoice = _invoice(account)
    assert looked_at == [1, 0]
    assert (invoice["status"], invoice["payment_status"], invoice["paid_at"]) == (
        word,
        says,
        paid_at,
    )
    assert _open_kinds(account) == kinds


def _by_number(account: Account) -> Row:
    _pay(account)
    return {}


def _by_stored_id(account: Account) -> Row:
    return {"stripe_payment_intent_id": _pay(account, named="")}


def _by_link(account: Account) -> Row:
    link = checkout.make_link(account.world, "eur")
    opened = {"amount": 1000, "currency": "eur", "payment_link": link}
    session = checkout.open_session(account.world, **opened)
    intent = checkout.begin_payment(account.world, session, "ada@example.org")
    till.succeed(account.world, intent)
    checkout.complete(account.world, session)
    account.wait(60)
    _sweep(account)
    return {"stripe_payment_link_id": link}


@pytest.mark.parametrize("pay", [_by_number, _by_stored_id, _by_link])
def test_it_finds_the_payment_of_an_invoice_that_came_later(
    account: Account, pay: Callable[[Account], Row]
) -> None:
    """An invoice that is written after its payment is paid in one tick, however the two name each other."""
    names = pay(account)
    write_invoices(account.database, {"id": "1", "number": "INV-1", "amount_due": 1000, **names})

    looked_at = [_looked_at(account), _looked_at(account)]

    assert looked_at == [1, 0]
    assert _invoice(account)["status"] == "paid"
    assert not _open_kinds(account)


def test_it_says_of_an_invoice_that_names_stripe_that_nothing_was_paid(account: Account) -> None:
    """An invoice that names a PaymentIntent nobody has seen is `unpaid` after one tick, not NULL."""
    stored = {"stripe_payment_intent_id": "pi_nobodysawthis"}
    row = {"id": "1", "number": "INV-1", "amount_due": 1000, **stored}
    write_invoices(account.database, row)

    looked_at = [_looked_at(account), _looked_at(account)]

    assert (looked_at, _invoice(account)["payment_status"]) == ([1, 0], "unpaid")


def test_it_looks_once_a_day_at_what_stays_apart_for_a_good_reason(account: Account) -> None:
    """A payment that two invoices' numbers fit is theirs once one of them changes its number, a day later at most."""
    _pay(account)
    for id_ in ("1", "2"):
        write_invoices(account.database, {"id": id_, "number": "INV-1", "amount_due": 1000})
    at_first = [_looked_at(account), _looked_at(account)]
    with account.database.writing() as tx:
        tx.execute(
            update(tables.invoices).where(tables.invoices.c.id == "2").values(number="INV-2")
        )
    account.wait(LOOK_AGAIN.total_seconds() + 1)

    later = [_looked_at(account), _looked_at(account)]

    assert (at_first, later) == ([2, 0], [1, 0])
    assert _invoice(account)["status"] == "paid"


def test_it_leaves_the_books_as_deciding_again_would(account: Account) -> None:
    """After the app made an invoice cheaper than what was paid, verify finds nothing that should be otherwise."""
    add_invoices(account.database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    _pay(account)
    _edit(account, amount_due=900, status="uncollectible")

    sweep_invoices(account.poller)

    policy = account.poller.inbox.policy
    assert verify(account.database, policy, now=account.now(), rebuild=True).problems == ()
    assert _invoice(account)["payment_status"] == "overpaid"
