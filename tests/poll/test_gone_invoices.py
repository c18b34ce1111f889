"""What becomes of money at an invoice whose row the app deletes, or takes out of what counts?"""

from collections.abc import Callable

import pytest
from sqlalchemy import delete, insert, select, update

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import Assignment, Source, ms
from reconciler.db import ledgers, queries, tables
from reconciler.db.session import Database
from reconciler.poll import sweep_invoices
from reconciler.poll.invoices import LOOK_AGAIN
from reconciler.simulator import checkout
from tests.attacks.plays import asked, by_link, card, invoice, wrong_books
from tests.journeys.conftest import add_invoices, write_invoices
from tests.poll.account import Account

Take = Callable[[Account], None]


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account in which INV-1 and INV-2 are owed, and INV-1 is paid."""
    account = Account(database)
    add_invoices(database, invoice("1", 5_000), invoice("2", 5_000))
    return account


def _pay(account: Account, **metadata: str) -> str:
    intent = card(account.world, 5_000, **metadata)
    account.wait(60)
    account.tell(*(each.event for each in account.world.happenings))
    return intent


def _assign(account: Account, intent: str, *shares: tuple[str, int | None]) -> None:
    decision = Assignment(
        payment_id=intent, shares=shares, by="ann", reason="phoned", decided_ms=ms(account.now())
    )
    with account.database.writing() as tx:
        apply_payment_state(
            tx, [decision], source=Source.MANUAL, now=account.now(), policy=Policy()
        )


def _delete(account: Account, id_: str = "1") -> dict[str, object]:
    """Delete an invoice as an app would; returns the row that was there."""
    column = tables.invoices.c
    with account.database.writing() as tx:
        row = dict(tx.execute(select(tables.invoices).where(column.id == id_)).mappings().one())
        tx.execute(delete(tables.invoices).where(column.id == id_))
    return row


def _received(account: Account) -> dict[str, int]:
    with account.database.reading() as tx:
        rows = tx.execute(select(tables.settlements.c.invoice_id, tables.settlements.c.received))
        return {row.invoice_id: row.received for row in rows}


def test_it_asks_about_money_that_a_rule_gave_to_an_invoice_that_is_gone(account: Account) -> None:
    """Within a tick the money is nowhere, a person is asked about it, and nothing is counted at the invoice."""
    _pay(account, invoice_id="INV-1")
    _delete(account)

    sweep_invoices(account.poller)

    assert asked(account) == {"unmatched_payment": ["5000 eur"]}
    assert _received(account).get("1") == 0
    assert wrong_books(account) == []


def test_it_asks_about_money_that_a_person_gave_to_an_invoice_that_is_gone(
    account: Account,
) -> None:
    """The decision is kept, the money is asked about, and after it is taken back it can be given to another one."""
    intent = _pay(account)
    _assign(account, intent, ("1", None))
    _delete(account)

    sweep_invoices(account.poller)
    shown = asked(account)
    _assign(account, intent)
    _assign(account, intent, ("2", None))

    assert shown == {"unmatched_payment": ["5000 eur"]}
    assert _received(account) == {"1": 0, "2": 5_000}
    assert asked(account) == {}
    assert wrong_books(account) == []


def test_it_asks_only_about_the_part_at_an_invoice_that_is_gone(account: Account) -> None:
    """Of a payment of two invoices, the part of the one that is still there stays."""
    intent = _pay(account)
    _assign(account, intent, ("1", 2_000), ("2", None))
    _delete(account)

    sweep_invoices(account.poller)

    assert asked(account) == {"underpaid": ["-2000 eur"], "unmatched_payment": ["2000 eur"]}
    assert _received(account) == {"1": 0, "2": 3_000}
    assert wrong_books(account) == []


@pytest.mark.parametrize("is_assigned", [False, True])
def test_it_settles_an_invoice_that_comes_back(account: Account, is_assigned: bool) -> None:
    """A row that is there again has its money again, and its `paid` is still known to be ours."""
    intent = _pay(account, **({} if is_assigned else {"invoice_id": "INV-1"}))
    if is_assigned:
        _assign(account, intent, ("1", None))
    row = _delete(account)
    sweep_invoices(account.poller)

    with account.database.writing() as tx:
        tx.execute(insert(tables.invoices).values(row))
    sweep_invoices(account.poller)

    assert _received(account).get("1") == 5_000
    assert asked(account) == {}
    assert wrong_books(account) == []


def test_it_gives_money_of_a_gone_invoice_to_no_other_by_itself(account: Account) -> None:
    """Next month's invoice carries the same link over the same amount, and was not what was paid for."""
    link = checkout.make_link(account.world, "eur")
    add_invoices(account.database, invoice("7", 5_000, stripe_payment_link_id=link))
    by_link(account.world, 5_000, link)
    account.wait(60)
    account.tell(*(each.event for each in account.world.happenings))
    write_invoices(account.database, invoice("8", 5_000, stripe_payment_link_id=link))
    _delete(account, "7")

    for _ in range(2):
        sweep_invoices(account.poller)
        account.wait(LOOK_AGAIN.total_seconds() + 1)

    assert _received(account).get("8", 0) == 0
    assert asked(account) == {"unmatched_payment": ["5000 eur"]}
    assert wrong_books(account) == []


def test_it_looks_for_a_gone_invoice_once(account: Account) -> None:
    """What is known to be gone is not settled again every minute."""
    _pay(account, invoice_id="INV-1")
    _delete(account)
    sweep_invoices(account.poller)

    sweep_invoices(account.poller)

    with account.database.reading() as tx:
        last = [row for row in queries.last_runs(tx) if row["sweep"] == "invoices"][-1]
    assert last["objects"] == 0


def test_it_tells_money_that_is_counted_twice(account: Account) -> None:
    """What invoices were settled with is what is allocated to them, or verify says so."""
    _pay(account, invoice_id="INV-1")
    column = tables.settlements.c
    with account.database.writing() as tx:
        tx.execute(update(tables.settlements).where(column.invoice_id == "1").values(received=1))

    with account.database.reading() as tx:
        assert ledgers.sums(tx) == {"eur": (1, 5_000)}
    assert "verify: all of eur invoices were settled with 1, and 5000 is allocated to them" in (
        wrong_books(account)
    )
