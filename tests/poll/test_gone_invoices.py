"""What becomes of money at an invoice whose row the app deletes, or takes out of what counts?"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, select, update

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.ledger import Rules
from reconciler.core.observation import Assignment, Source, ms
from reconciler.db import exceptions, queries, tables
from reconciler.db.invoice_table import EMBEDDED
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


def test_it_settles_a_row_that_was_hidden_for_an_hour(account: Account) -> None:
    """A filter that leaves a row out and lets it in again the same day: the money is back with the next tick."""
    _pay(account, invoice_id="INV-1")
    shown = replace(EMBEDDED, only="number <> 'INV-1'")
    account.poller = account.poller_with(
        replace(account.poller.inbox, policy=Policy(invoices=shown))
    )
    sweep_invoices(account.poller)
    hidden = _received(account).get("1")
    account.wait(3600)

    account.poller = account.poller_with(replace(account.poller.inbox, policy=Policy()))
    sweep_invoices(account.poller)

    assert (hidden, _received(account).get("1")) == (0, 5_000)
    assert asked(account) == {}
    assert wrong_books(account) == []


def test_it_leaves_the_other_part_of_a_split_as_it_is(account: Account) -> None:
    """Of two invoices that share a payment one is deleted: its part is asked about, and not given to the other one."""
    intent = card(account.world, 5_000)
    rows = [
        invoice(id_, due, stripe_payment_intent_id=intent)
        for id_, due in (("7", 2_000), ("8", 3_000))
    ]
    add_invoices(account.database, *rows)
    account.wait(60)
    account.tell(*(each.event for each in account.world.happenings))
    _delete(account, "7")

    sweep_invoices(account.poller)

    assert (_received(account)["7"], _received(account)["8"]) == (0, 3_000)
    assert asked(account) == {"unmatched_payment": ["2000 eur"]}
    assert wrong_books(account) == []


def test_it_asks_about_old_money_whose_invoice_is_deleted_today(account: Account) -> None:
    """However long ago it was paid: that nobody has the money now is of today."""
    _pay(account, invoice_id="INV-1")
    since_ms = ms(account.now())
    account.wait(86_400)
    policy = Policy(rules=Rules(since_ms=since_ms))
    account.poller = account.poller_with(replace(account.poller.inbox, policy=policy))
    _delete(account)

    sweep_invoices(account.poller)

    assert asked(account) == {"unmatched_payment": ["5000 eur"]}


@pytest.mark.parametrize("how", ["renamed", "deleted", "relinked"])
def test_it_asks_no_more_when_nobody_else_may_have_been_meant(account: Account, how: str) -> None:
    """The question whether another invoice was meant is over when that one is gone, or is called otherwise."""
    made = account.ago(86_400)
    link = checkout.make_link(account.world, "eur")
    rows = [invoice(id_, 5_000, stripe_payment_link_id=link, created_at=made) for id_ in ("7", "8")]
    add_invoices(account.database, rows[0])
    by_link(account.world, 5_000, link)
    account.wait(60)
    account.tell(*(each.event for each in account.world.happenings))
    write_invoices(account.database, rows[1])
    sweep_invoices(account.poller)
    before = asked(account)
    column = tables.invoices.c
    change = {
        "renamed": update(tables.invoices).values(stripe_payment_link_id="plink_9"),
        "deleted": delete(tables.invoices),
        "relinked": update(tables.invoices).values(stripe_payment_link_id=None),
    }[how]
    with account.database.writing() as tx:
        tx.execute(change.where(column.id == "8"))

    sweep_invoices(account.poller)

    assert before == {"conflicting_references": ["5000 eur"]}
    assert asked(account) == {}
    assert _received(account)["7"] == 5_000
    assert wrong_books(account) == []


def test_it_gives_old_money_to_no_new_invoice_with_the_same_number(account: Account) -> None:
    """A number that is used again weeks later was not what was paid for."""
    _pay(account, invoice_id="INV-1")
    _delete(account)
    write_invoices(account.database, {**invoice("9", 5_000), "number": "INV-1"})

    sweep_invoices(account.poller)

    assert _received(account).get("9", 0) == 0
    assert asked(account) == {"unmatched_payment": ["5000 eur"]}
    assert wrong_books(account) == []


def test_it_keeps_what_a_person_has_seen_to(account: Account) -> None:
    """An exception that was resolved is resolved when its invoice comes back as it was."""
    intent = card(account.world, 6_000)
    account.wait(60)
    account.tell(*(each.event for each in account.world.happenings))
    _assign(account, intent, ("1", None))
    before = asked(account)
    with account.database.writing() as tx:
        [row] = queries.open_exceptions(tx, now=account.now(), limit=9)
        exceptions.resolve(tx, dict(row), by="ann", reason="a tip", now=account.now())
    row = _delete(account)
    sweep_invoices(account.poller)

    with account.database.writing() as tx:
        tx.execute(insert(tables.invoices).values(row))
    sweep_invoices(account.poller)

    assert (before, asked(account)) == ({"overpaid": ["1000 eur"]}, {})
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

    assert "verify: invoice 1 it was settled with 1, and 5000 is allocated to it" in (
        wrong_books(account)
    )
