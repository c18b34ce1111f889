"""What becomes of money that came by a Payment Link, when the app begins or ends to share the link?"""

import pytest
from sqlalchemy import delete, select, update

from reconciler.core.matching import Rule
from reconciler.db import queries, tables
from reconciler.db.invoice_table import EMBEDDED
from reconciler.db.invoices import shared_links
from reconciler.db.payments import resting_on
from reconciler.db.session import Database
from reconciler.poll import sweep_invoices
from reconciler.poll.invoices import LOOK_AGAIN
from reconciler.simulator import checkout
from tests.attacks.plays import asked, by_link, invoice, lost, wrong_books
from tests.journeys.conftest import add_invoices, write_invoices
from tests.poll.account import Account


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account."""
    return Account(database)


def _tell_all(account: Account) -> None:
    account.wait(60)
    account.tell(*(each.event for each in account.world.happenings))


def _says(account: Account) -> list[str | None]:
    with account.database.reading() as tx:
        rows = sorted(queries.invoices(tx), key=lambda row: str(row["id"]))
    return [row["payment_status"] for row in rows]


def _carrying(link: str, *ids: str) -> list[dict[str, object]]:
    return [invoice(each, 5_000, stripe_payment_link_id=link) for each in ids]


def test_it_takes_nothing_from_an_invoice_when_its_link_is_shared(account: Account) -> None:
    """Next month's invoice carries the link too: what came before it was made is this one's, and what comes then a person's."""
    link = checkout.make_link(account.world, "eur")
    add_invoices(account.database, *_carrying(link, "1"))
    by_link(account.world, 5_000, link)
    _tell_all(account)
    before = _says(account)

    write_invoices(account.database, *_carrying(link, "2", "3"))
    sweep_invoices(account.poller)
    after = _says(account)
    account.world.clock.advance(100 * 86_400_000)
    by_link(account.world, 5_000, link)
    _tell_all(account)

    assert (before, after) == (["paid"], ["paid", "unpaid", "unpaid"])
    assert _says(account) == after
    assert asked(account) == {"unmatched_payment": ["5000 eur"]}
    assert lost(account) + wrong_books(account) == []


def test_it_goes_by_the_time_at_which_a_link_was_shared(account: Account) -> None:
    """Whoever hears of the money only when another invoice has the link as well, comes to the same end."""
    link = checkout.make_link(account.world, "eur")
    by_link(account.world, 5_000, link)
    made = account.ago(86_400)
    first, second = _carrying(link, "1", "2")

    add_invoices(account.database, {**first, "created_at": made}, second)
    _tell_all(account)

    assert _says(account) == ["paid", "unpaid"]
    assert asked(account) == {}
    assert lost(account) + wrong_books(account) == []


@pytest.mark.parametrize(
    ("amount", "names"),
    [
        pytest.param(4_999, {}, id="another amount"),
        pytest.param(5_000, {"client_reference_id": "INV-9"}, id="names that disagree"),
        pytest.param(5_000, {"client_reference_id": "INV-1"}, id="names that agree"),
    ],
)
def test_it_leaves_the_books_as_deciding_again_would(
    account: Account, amount: int, names: dict[str, str]
) -> None:
    """Whatever the link had a part in is decided again when it is shared."""
    link = checkout.make_link(account.world, "eur")
    add_invoices(account.database, *_carrying(link, "1"), invoice("9", 5_000))
    by_link(account.world, amount, link, **names)
    _tell_all(account)

    write_invoices(account.database, *_carrying(link, "2"))
    sweep_invoices(account.poller)

    assert lost(account) + wrong_books(account) == []


def test_it_finds_the_money_when_one_invoice_keeps_the_link(account: Account) -> None:
    """Once the others are gone, a day later at most, the link names the one that is left."""
    link = checkout.make_link(account.world, "eur")
    add_invoices(account.database, *_carrying(link, "1", "2"))
    by_link(account.world, 5_000, link)
    _tell_all(account)
    sweep_invoices(account.poller)
    before = _says(account)
    with account.database.writing() as tx:
        tx.execute(delete(tables.invoices).where(tables.invoices.c.id == "2"))
    account.wait(LOOK_AGAIN.total_seconds() + 1)

    sweep_invoices(account.poller)

    assert (before, _says(account)) == (["unpaid", "unpaid"], ["paid"])
    with account.database.reading() as tx:
        assert tx.scalars(select(tables.allocations.c.rule)).all() == [Rule.PAYMENT_LINK]
    assert asked(account) == {}


def test_it_reads_no_payments_of_a_link_that_says_nothing(account: Account) -> None:
    """Of thousands that came by a shared link, none is decided again because another invoice carries it too."""
    link = checkout.make_link(account.world, "eur")
    add_invoices(account.database, *_carrying(link, "1", "2"))
    by_link(account.world, 5_000, link)
    by_link(account.world, 5_000, link, client_reference_id="INV-1")
    _tell_all(account)

    with account.database.reading() as tx:
        assert shared_links(tx, EMBEDDED, [link, "plink_of_nobody"]) == {link}
        assert resting_on(tx, [link]) == frozenset()
    with account.database.writing() as tx:
        tx.execute(update(tables.payments).values(facts="whoever reads this fails"))

    write_invoices(account.database, *_carrying(link, "3"))
    sweep_invoices(account.poller)

    assert _says(account)[2] == "unpaid"
