"""Do our rows add up to what moved, by currency, category and day?"""

from collections.abc import Sequence

import pytest

from reconciler.core.observation import Projection
from reconciler.core.schedule import Window
from reconciler.db import books
from reconciler.db.books import Moved, Sold
from reconciler.db.session import Database
from tests.core import builders as b
from tests.reconcile.accounts import money, on, sale, tell

DAY = Window(on(2, 0), on(3, 0))


def _sold(database: Database, window: Window = DAY) -> list[Sold]:
    with database.reading() as tx:
        return books.sales_sums(tx, window)


def _moved(database: Database, window: Window = DAY) -> list[Moved]:
    with database.reading() as tx:
        return books.ledger_sums(tx, window)


def test_it_keeps_whatever_moves(database: Database) -> None:
    """Fees without a source, payouts and adjustments belong to no payment, and count all the same."""
    at = {"created_ms": on(2)}
    tell(
        database,
        b.transaction(-500, **at, id="txn_f", source="", type="stripe_fee", category="fee"),
        b.transaction(-900, **at, id="txn_p", source="po_1", type="payout", category="payout"),
        b.transaction(70, **at, id="txn_a", source="", type="adjustment", category="other_adjustment"),
        b.transaction(9, **at, id="txn_n", source="", type="new_thing", category=""),
    )  # fmt: skip

    assert [(each.category, each.net_minor) for each in _moved(database)] == [
        ("", 9),
        ("fee", -500),
        ("other_adjustment", 70),
        ("payout", -900),
    ]


def test_it_counts_money_in_the_second_in_which_it_moved(database: Database) -> None:
    """A window holds its first instant and not its last."""
    for number, at_ms in enumerate((on(2, 0) - 1000, on(2, 0), on(3, 0) - 1000, on(3, 0))):
        tell(database, money(number, 10**number, at_ms, fee_minor=0))

    assert _moved(database) == [Moved("eur", "charge", 2, 110, 0, 110)]


PAID = Sold(currency="eur", payments=1, received_minor=1000)
BACK = Sold(currency="eur", refunds=1, refunded_minor=300)
REFUND = b.refund("succeeded", 300, id="re_1", charge="ch_1", intent="pi_1", created_ms=on(2))
FAILED = b.refund("failed", 300, id="re_1", charge="ch_1", intent="pi_1", created_ms=on(2))
BOOKED = b.refund("succeeded", 300, created_ms=on(2), booked=True)
LEFT = b.transaction(-300, id="txn_r", source="re_1", category="refund", created_ms=on(2))
CAME = b.transaction(300, id="txn_b", source="re_1", category="refund_failure", created_ms=on(2))
EARLY = sale(1, 1000, on(1))
HELD = b.withdrawn(1000, created_ms=on(2))
SALES: list[tuple[str, Sequence[Projection], list[Sold]]] = [
    ("a payment counts when its money moved", [*EARLY, money(1, 1000, on(2))], [PAID]),
    ("one that moved on another day does not", [*sale(1, 1000, on(2)), money(1, 1000, on(3))], []),
    ("while that is not known, it counts when it was paid", sale(1, 1000, on(2)), [PAID]),
    (
        "one captured in parts counts once, and is received part by part",
        [*EARLY, money(1, 600, on(2)), money(1, 400, on(3), id="txn_9")],
        [Sold(currency="eur", payments=1, received_minor=600)],
    ),
    (
        "a later part is received on its own day",
        [*EARLY, money(1, 600, on(1)), money(1, 400, on(2), id="txn_9")],
        [Sold(currency="eur", payments=0, received_minor=400)],
    ),
    (
        "parts in another currency are told in proportion",
        [*sale(1, 1000, on(1)), money(1, 333, on(1), currency="usd"), money(1, 666, on(2), id="txn_9", currency="usd")],
        [Sold(currency="eur", payments=0, received_minor=667)],
    ),
    (
        "parts on one day are all of it, whatever the rate",
        [*sale(1, 1000, on(1)), *(money(1, n, on(2), id=f"txn_{n}", currency="usd") for n in (7, 11, 13))],
        [PAID],
    ),
    ("one that brought nothing is no sale", [b.intent("canceled", created_ms=on(2))], []),
    ("what is foreign is nobody's sale", [b.intent(foreign=frozenset({"invoice"}), succeeded_ms=on(2))], []),
    ("a refund counts when it left", [*EARLY, REFUND, LEFT], [BACK]),
    ("while that is not known, it counts if money has moved", [*EARLY, BOOKED], [BACK]),
    ("once it is known, it counts once", [*EARLY, BOOKED, LEFT], [BACK]),
    (
        "parts in several currencies are not received a second time",
        [*sale(1, 1000, on(2)), money(1, 600, on(2)), money(1, 440, on(2), id="txn_9", currency="usd")],
        [Sold(currency="eur", payments=1, received_minor=600)],
    ),
    ("a hold that was released moved nothing", [*EARLY, REFUND], []),
    (
        "a refund that came back counts less on that day",
        [*EARLY, FAILED, CAME],
        [Sold(currency="eur", refunds=0, refunded_minor=-300)],
    ),
    (
        "a bank debit that failed has gone back whole",
        [*EARLY, b.transaction(-1000, id="txn_x", source="ch_1", category="charge_failure", created_ms=on(2))],
        [Sold(currency="eur", refunded_minor=1000)],
    ),
    (
        "a dispute counts without its fee",
        [*EARLY, b.dispute(), b.withdrawn(1000, created_ms=on(2), fee_minor=1500, net_minor=-2500)],
        [Sold(currency="eur", disputed_minor=1000)],
    ),
    (
        "a dispute in another settlement currency counts in its own",
        [*EARLY, b.dispute(), b.withdrawn(900, created_ms=on(2), currency="usd")],
        [Sold(currency="eur", disputed_minor=1000)],
    ),
    (
        "a dispute that was won counts less on that day",
        [*EARLY, b.dispute("won"), b.withdrawn(1000, created_ms=on(1)), b.reinstated(1000, created_ms=on(2))],
        [Sold(currency="eur", disputed_minor=-1000)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "expected"), [each[1:] for each in SALES], ids=[each[0] for each in SALES]
)
def test_it_tells_what_was_sold(
    database: Database, seen: Sequence[Projection], expected: list[Sold]
) -> None:
    """Sales are in the payers' currency, on the day on which their money moved."""
    tell(database, *seen)

    assert _sold(database) == expected


def test_it_counts_a_payment_once_when_its_money_becomes_known(database: Database) -> None:
    """A payment moves from the day on which it was paid to that of its transaction, and is never on both."""
    tell(database, *sale(1, 1000, on(2)))
    before = _sold(database), _sold(database, Window(on(3, 0), on(4, 0)))
    tell(database, money(1, 1000, on(3)))

    assert before == ([PAID], [])
    assert (_sold(database), _sold(database, Window(on(3, 0), on(4, 0)))) == ([], [PAID])
