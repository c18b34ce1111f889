"""Does the pool of invoices that may be meant hold the likely ones, and stay small?"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.core.candidates import Wanted
from reconciler.core.observation import Reference, ReferenceKind
from reconciler.db import tables
from reconciler.db.invoice_table import EMBEDDED
from reconciler.db.prospects import EACH_MAX, prospects
from reconciler.db.session import Database
from tests.core import builders as b

WANTED = Wanted(amount_minor=1000, currency="eur", at=b.NOON)
LONG_AGO = b.NOON - timedelta(days=400)


def add(database: Database, rows: Sequence[dict[str, Any]]) -> None:
    """Add invoices for which nothing speaks, changed as said."""
    plain = {"number": "", "customer_email": "", "currency": "eur", "amount_due": 7777, "status": "open",
             "stripe_payment_link_id": None, "created_at": LONG_AGO, "updated_at": b.NOON}  # fmt: skip
    with database.writing() as tx:
        tx.execute(tables.invoices.insert(), [{**plain, **row} for row in rows])


def pool(database: Database, wanted: Wanted = WANTED) -> list[str]:
    """The ids of the invoices in the pool."""
    with database.reading() as tx:
        found = prospects(tx, EMBEDDED, ["open"], wanted)
    return [each.invoice.id for each in found]


def naming(kind: ReferenceKind, value: str) -> Wanted:
    """Money that carries one name and has an amount that nothing asks for."""
    return Wanted(amount_minor=1, currency="eur", references=frozenset({Reference(kind, value)}))


@pytest.mark.parametrize(
    ("row", "wanted", "is_there"),
    [
        ({"amount_due": 1000}, WANTED, True),
        ({"amount_due": 1000, "currency": "usd"}, WANTED, False),
        ({"amount_due": 1000, "status": "void"}, WANTED, False),
        ({"created_at": b.NOON - timedelta(days=6)}, WANTED, True),
        ({"created_at": b.NOON - timedelta(days=8)}, WANTED, False),
        ({"customer_email": "Bob@X.org"}, Wanted(amount_minor=1, currency="eur", email="bob@x.ORG"), True),
        ({}, Wanted(amount_minor=1, currency="eur", email=""), False),
        ({"number": "INV-7"}, naming(ReferenceKind.CLIENT_REFERENCE, "inv 7"), True),
        ({"number": "INV-7"}, naming(ReferenceKind.CHARGE, "inv 7"), False),
        ({"number": "INV-7", "status": "void"}, naming(ReferenceKind.METADATA, "INV-7"), True),
        ({"number": "INV-7", "status": "void"}, naming(ReferenceKind.METADATA, "inv 7"), False),
        ({"stripe_payment_link_id": "pl"}, naming(ReferenceKind.PAYMENT_LINK, "pl"), True),
    ],
)  # fmt: skip
def test_it_holds_what_something_speaks_for(
    database: Database, row: dict[str, Any], wanted: Wanted, is_there: bool
) -> None:
    """Payable invoices in the same currency with a reason, and besides them those that are named exactly."""
    add(database, [{"id": "inv_1", **row}])

    assert pool(database, wanted) == (["inv_1"] if is_there else [])


def settled(database: Database, invoice_id: str, **sums: Any) -> None:
    """Settle an invoice of 1500 with what was received, unless another sum is said."""
    plain = {"currency": "eur", "amount_due": 1500, "refunded": 0, "refund_pending": 0, "disputed": 0,
             "payment_status": "partially_paid", "updated_at": b.NOON}  # fmt: skip
    net = {"net": sums["received"] - sums.get("refunded", 0)}
    with database.writing() as tx:
        row = {**plain, "invoice_id": invoice_id, **net, **sums}
        tx.execute(tables.settlements.insert().values(**row))


@pytest.mark.parametrize(
    ("sums", "missing"),
    [
        ({"received": 500}, 1000),
        ({"received": 500, "refunded": 500}, 1500),
        ({"received": 1500, "refunded": 1000}, 1000),
        ({"received": 500, "refunded": 600}, 1500),
    ],
)
def test_it_counts_what_an_invoice_still_waits_for(
    database: Database, sums: dict[str, int], missing: int
) -> None:
    """Of an invoice that was paid in part the rest is compared, and what was given back is missing again."""
    add(database, [{"id": "inv_1", "amount_due": 1500}])
    settled(database, "inv_1", **sums)

    with database.reading() as tx:
        [found] = prospects(tx, EMBEDDED, ["open"], replace(WANTED, amount_minor=missing))

    assert found.missing_minor == missing


@pytest.mark.parametrize(
    ("word", "sums", "is_there"),
    [
        ("paid", {"received": 500, "prior_status": "open"}, True),
        ("paid", {"received": 1500, "prior_status": "open"}, False),
        ("paid", {"received": 500}, False),
        ("void", {"received": 500, "prior_status": "open"}, False),
    ],
)
def test_it_holds_what_is_paid_by_us_and_no_longer_covered(
    database: Database, word: str, sums: dict[str, Any], is_there: bool
) -> None:
    """An invoice with our own `paid`, whose money turned out to be another's, waits for money; a `paid` by hand does not."""
    add(database, [{"id": "inv_1", "amount_due": 1500, "status": word, "created_at": b.NOON}])
    settled(database, "inv_1", **sums)

    assert pool(database) == (["inv_1"] if is_there else [])


def test_it_keeps_the_best_of_each_reason(database: Database) -> None:
    """Thousands with the same amount, near in time or on the same link push nothing out that something else speaks for."""
    days = timedelta(days=1)
    names = {
        Reference(ReferenceKind.PAYMENT_LINK, "pl"),
        Reference(ReferenceKind.METADATA, "inv 7"),
    }
    wanted = replace(WANTED, email="bob@x.org", references=frozenset(names))
    alike: dict[str, Any] = {"amount_due": 1000, "stripe_payment_link_id": "pl"}
    known: dict[str, Any] = {"customer_email": "bob@x.org"}
    near = {"created_at": b.NOON - 3 * days}
    crowd = [{"id": f"z_{n:04}", **(alike if n % 2 else known), **near} for n in range(2000)]
    likely: list[dict[str, Any]] = [
        {"id": "a_number", "number": "INV-7"},
        {"id": "a_before", **alike, "created_at": b.NOON - days},
        {"id": "a_after", **alike, "created_at": b.NOON + days},
        {"id": "a_both", "amount_due": 1000, **known, "created_at": b.NOON - 6 * days},
    ]
    add(database, [*crowd, *likely])

    found = pool(database, wanted)

    assert {each["id"] for each in likely} <= set(found)
    assert len(found) <= 10 * EACH_MAX
